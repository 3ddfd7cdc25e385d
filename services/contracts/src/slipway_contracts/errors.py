"""Every error of this package.

ContractsError
├── UnreadableContracts  the contracts of a version are missing, too large, or not what their digests say
│   └── RegistryError    a registry of artifacts does not answer, does not know us, or refuses
└── DeclarationError     ``[tool.slipway.consumes]`` can't be read, or an entry is wrong: the message shows a right one
"""


class ContractsError(Exception):
    """The base of all."""


class UnreadableContracts(ContractsError):
    """The files of a version's contracts are missing, too large, or not what their digests say."""


class RegistryError(UnreadableContracts):
    """A registry of artifacts does not answer, does not know who asks, or refuses; the message names it."""


class DeclarationError(ContractsError):
    """What a service declares to rely on is wrong; the message names the entry, and shows a right one."""
