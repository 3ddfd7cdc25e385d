"""Passwords by argon2id, with OWASP's parameters: 19 MiB and some 20 ms each, so only a few at a time."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from slipway_chassis.resilience import Bulkhead

AT_ONCE = 3  # more would not fit into the memory of a pod, and only queue for its processors


class Argon2Passwords:
    """BulkheadFull (503 for the client) when too many are being checked: guessing is slow by design."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._bulkhead = Bulkhead("passwords", most=AT_ONCE, wait_seconds=0.5)
        self._nobodys = self._hasher.hash("the password of nobody")

    def hash(self, password: str) -> str:
        with self._bulkhead.entering():
            return self._hasher.hash(password)

    def matches(self, password: str, hashed: str | None) -> bool:
        with self._bulkhead.entering():
            try:
                self._hasher.verify(hashed or self._nobodys, password)
            except (VerificationError, InvalidHashError):
                return False
            return hashed is not None
