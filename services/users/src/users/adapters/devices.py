"""Devices on which a user has signed in before, by a cookie: strangers who guess don't keep those waiting."""

import hashlib
from datetime import timedelta

from cryptography.fernet import InvalidToken
from flask import Response
from pydantic import SecretStr

from slipway_chassis.auth.sealing import crypt_of

COOKIE = "__Host-known-device"
REMEMBERED = timedelta(days=180)
_PURPOSE = b"known device "  # the same secret encrypts signing keys


class KnownDevices:
    def __init__(self, secret: SecretStr) -> None:
        self._crypt = crypt_of(secret)

    def remember(self, answer: Response, email: str) -> None:
        """Gives the device its cookie; one that is known to another user then knows this one."""
        sealed = self._crypt.encrypt(_content(email)).decode()
        answer.set_cookie(COOKIE, sealed, max_age=REMEMBERED, secure=True, httponly=True, samesite="Lax", path="/")

    def knows(self, cookie: str, email: str) -> bool:
        """Whether this user has signed in where the cookie comes from."""
        try:
            found = self._crypt.decrypt(cookie.encode(), ttl=int(REMEMBERED.total_seconds()))
        except (InvalidToken, UnicodeEncodeError):
            return False
        return found == _content(email)


def _content(email: str) -> bytes:
    return _PURPOSE + hashlib.sha256(email.encode()).digest()
