"""Every error of this package.

ContractsError
├── UnreadableContracts  the contracts of a version are missing, too large, or not what their digests say
└── DeclarationError     ``[tool.slipway.consumes]`` can't be read, or an entry is wrong: the message shows a right one
"""


class ContractsError(Exception):
    """The base of both."""


class UnreadableContracts(ContractsError):
    """The files of a version's contracts are missing, too large, or not what their digests say."""


class DeclarationError(ContractsError):
    """What a service declares to rely on is wrong; the message names the entry, and shows a right one."""
