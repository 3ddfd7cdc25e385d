from datetime import datetime
from typing import Protocol
from uuid import UUID

from ..domain.model import Customer, Order, OrderStatus


class Orders(Protocol):
    def add(self, order: Order) -> None: ...

    def get(self, order_id: UUID, *, for_change: bool = False) -> Order | None:
        """``for_change``: nobody else may change the order until the transaction ends."""
        ...

    def page(self, *, of_user: UUID | None, after: UUID | None, limit: int) -> list[Order]:
        """Orders in order of their id, beginning behind ``after``; of one user, or of all."""
        ...

    def waiting(self, status: OrderStatus, *, since: datetime, limit: int) -> list[Order]:
        """Orders that came into this status before ``since``, for change; those that others change are left out."""
        ...

    def refunds_due(self, *, limit: int) -> list[Order]:
        """Orders whose cost may have to be given back, for change; those that others change are left out."""
        ...


class Customers(Protocol):
    def put(self, customer: Customer) -> None:
        """Adds the customer or takes over the new name."""
        ...

    def get(self, user_id: UUID) -> Customer | None: ...


class PaymentProvider(Protocol):
    """The order's id is the provider's idempotency key: whatever is asked twice happens once."""

    def charge(self, order_id: UUID, cents: int, card: str) -> None:
        """Raises PaymentDeclined or PaymentUnavailable."""
        ...

    def void(self, order_id: UUID) -> None:
        """Gives back what was charged, and refuses charges for this order from now on; PaymentUnavailable."""
        ...
