"""What a browser keeps for us, encrypted and signed (Fernet): it can neither be read nor changed there."""

import json
from typing import TypeVar

from cryptography.fernet import InvalidToken
from pydantic import SecretStr, ValidationError

from slipway_chassis.auth.sealing import crypt_of

from .kinds import reader

T = TypeVar("T")


class Seal:
    """``secret``: keys with commas; the first seals, all open, so that a key can be replaced without signing out."""

    def __init__(self, secret: SecretStr) -> None:
        self._keys = crypt_of(secret)

    def close(self, value: object) -> str:
        """The value as a cookie. Its kind goes with it: one cookie can't be brought as another."""
        kind = type(value)
        content = {"kind": kind.__name__, "value": reader(kind).dump_python(value, mode="json")}
        return self._keys.encrypt(json.dumps(content, ensure_ascii=False).encode()).decode()

    def open(self, kind: type[T], sealed: str, *, seconds: int) -> T | None:
        """What was sealed at most so many seconds ago; None for everything else."""
        try:
            content = json.loads(self._keys.decrypt(sealed.encode(), ttl=seconds))
            if content["kind"] != kind.__name__:
                return None
            opened: T = reader(kind).validate_python(content["value"])
        except (InvalidToken, ValidationError, ValueError, KeyError, TypeError):
            return None
        return opened
