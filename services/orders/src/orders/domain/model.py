from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from ..errors import OrderNotCancellable
from .events import OrderCancelled, OrderPlaced


class OrderStatus(StrEnum):
    PLACED = "placed"
    CANCELLED = "cancelled"


@dataclass(kw_only=True, eq=False)
class Order:
    id: UUID
    user_id: UUID
    item: str
    quantity: int
    unit_price_cents: int
    placed_at: datetime
    status: OrderStatus = OrderStatus.PLACED
    version: int = 0
    events: list[OrderPlaced | OrderCancelled] = field(default_factory=list)

    @classmethod
    def place(
        cls, *, order_id: UUID, user_id: UUID, item: str, quantity: int, unit_price_cents: int, now: datetime
    ) -> Self:
        order = cls(
            id=order_id,
            user_id=user_id,
            item=item,
            quantity=quantity,
            unit_price_cents=unit_price_cents,
            placed_at=now,
        )
        order._happened(
            OrderPlaced(
                order_id=order_id,
                user_id=user_id,
                item=item,
                quantity=quantity,
                total_cents=order.total_cents,
                placed_at=now,
            )
        )
        return order

    def cancel(self, *, now: datetime) -> None:
        """Raises OrderNotCancellable when it is cancelled already."""
        if self.status is not OrderStatus.PLACED:
            raise OrderNotCancellable(f"The order {self.id} is {self.status} and can't be cancelled.")
        self.status = OrderStatus.CANCELLED
        self._happened(OrderCancelled(order_id=self.id, cancelled_at=now))

    @property
    def total_cents(self) -> int:
        return self.quantity * self.unit_price_cents

    def _happened(self, event: OrderPlaced | OrderCancelled) -> None:
        self.version += 1
        self.events.append(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What this service knows of a user, from events: it may lag behind, and that is fine for a name."""

    user_id: UUID
    name: str
