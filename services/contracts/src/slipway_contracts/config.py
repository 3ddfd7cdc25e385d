"""What this package takes from the environment: who we are to a registry of artifacts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """``host`` (with its port): the one registry that is told it; empty: the only one that is named.

    ``token`` is sent as it is, ``user`` and ``password`` to the registry or to the service of tokens that it names.
    """

    host: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.user or self.token)


def registry_login(environment: Mapping[str, str] = os.environ) -> RegistryLogin:
    """From REGISTRY_HOST, REGISTRY_USER, REGISTRY_PASSWORD and REGISTRY_TOKEN."""
    return RegistryLogin(*(environment.get(f"REGISTRY_{name}", "") for name in ("HOST", "USER", "PASSWORD", "TOKEN")))
