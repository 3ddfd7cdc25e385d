from typing import Protocol
from uuid import UUID

from ..domain.model import ListedOrder, User


class Users(Protocol):
    def add(self, user: User) -> None:
        """Raises EmailTaken when another user has the address."""
        ...

    def get(self, user_id: UUID) -> User | None: ...

    def page(self, *, after: UUID | None, limit: int) -> list[User]:
        """Users in order of their id, beginning behind ``after``."""
        ...


class OrderLists(Protocol):
    def put(self, order: ListedOrder) -> None:
        """Adds the order, unless a later version of it is listed already."""
        ...

    def cancel(self, order_id: UUID, *, version: int) -> bool:
        """Marks the order as cancelled, unless a later version of it is listed; False when it is not listed."""
        ...

    def of_user(self, user_id: UUID, *, limit: int) -> list[ListedOrder]:
        """The newest first."""
        ...
