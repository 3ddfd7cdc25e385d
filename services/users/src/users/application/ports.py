from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from ..domain.model import ListedOrder, SignIn, User
from ..domain.sign_in_limits import Limit
from ..domain.signing import SigningKey


class Users(Protocol):
    def add(self, user: User) -> None:
        """Raises EmailTaken when another user has the address."""
        ...

    def get(self, user_id: UUID) -> User | None: ...

    def with_email(self, email: str) -> User | None: ...

    def page(self, *, after: UUID | None, limit: int) -> list[User]:
        """Users in order of their id, beginning behind ``after``."""
        ...


class OrderLists(Protocol):
    def put(self, order: ListedOrder) -> None:
        """Adds the order, unless a later version of it is listed already."""
        ...

    def mark(self, order_id: UUID, status: str, *, version: int) -> bool:
        """Notes what became of the order, unless a later version of it is listed; False when it is not listed."""
        ...

    def of_user(self, user_id: UUID, *, limit: int) -> list[ListedOrder]:
        """The newest first."""
        ...


class Passwords(Protocol):
    def hash(self, password: str) -> str: ...

    def matches(self, password: str, hashed: str | None) -> bool:
        """Takes as long without a hash as with one: the time must not tell whether an account exists."""
        ...


class PasswordAttempts(Protocol):
    def begin(self, limits: Sequence[Limit], *, now: datetime) -> bool:
        """Counts one more under each limit, for good and before anything is checked: many at the same time are not one.
        False, and nothing is counted, where one of them has to wait.
        """
        ...

    def succeeded(self, limits: Sequence[Limit]) -> None:
        """The attempt that was begun was none of a guesser."""
        ...


class SignIns(Protocol):
    def of_user(self, user_id: UUID, *, now: datetime) -> list[SignIn]: ...

    def end_all(self, user_id: UUID) -> None:
        """Everywhere: nothing is renewed any more."""
        ...


class SigningKeys(Protocol):
    def lock(self) -> None:
        """Until the transaction ends, nobody else makes keys."""
        ...

    def all(self) -> list[SigningKey]: ...

    def make(self, signs_from: datetime) -> SigningKey:
        """A new key, its private part encrypted before it is stored."""
        ...

    def readable(self, kid: str) -> bool:
        """Whether its private part can be decrypted with the secret of this process."""
        ...

    def remove(self, kid: str) -> bool:
        """False when there is no such key."""
        ...
