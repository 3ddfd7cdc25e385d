from typing import Protocol
from uuid import UUID

from ..domain.model import Customer, Order


class Orders(Protocol):
    def add(self, order: Order) -> None: ...

    def get(self, order_id: UUID, *, for_change: bool = False) -> Order | None:
        """``for_change``: nobody else may change the order until the transaction ends."""
        ...

    def page(self, *, after: UUID | None, limit: int) -> list[Order]:
        """Orders in order of their id, beginning behind ``after``."""
        ...


class Customers(Protocol):
    def put(self, customer: Customer) -> None:
        """Adds the customer or takes over the new name."""
        ...

    def get(self, user_id: UUID) -> Customer | None: ...
