"""The order and its states.

    placed ──────▶ confirmed ──────▶ paid
      │  │             │               │
      │  └─▶ rejected  └─▶ cancelled ◀─┤ (with a refund)
      └─────────────────────▶──────────┘

``rejected`` and ``cancelled`` are final; ``paid`` is, unless the customer cancels.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from ..errors import OrderNotCancellable, OrderNotPayable
from .events import OrderCancelled, OrderConfirmed, OrderPaid, OrderPlaced, OrderRejected

Event = OrderPlaced | OrderConfirmed | OrderRejected | OrderPaid | OrderCancelled


class OrderStatus(StrEnum):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    PAID = "paid"
    CANCELLED = "cancelled"


@dataclass(kw_only=True, eq=False)
class Order:
    """``changed_at`` is when it came into its status: time-outs count from there."""

    id: UUID
    user_id: UUID
    item: str
    quantity: int
    unit_price_cents: int
    placed_at: datetime
    changed_at: datetime
    status: OrderStatus = OrderStatus.PLACED
    reason: str = ""
    refund_due: bool = False
    version: int = 0
    events: list[Event] = field(default_factory=list)

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
            changed_at=now,
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

    def confirm(self, *, now: datetime) -> None:
        """The stock is reserved. An order that was rejected or cancelled meanwhile stays so: the event that said it
        makes inventory release the stock.
        """
        if self.status is OrderStatus.PLACED:
            self._becomes(OrderStatus.CONFIRMED, OrderConfirmed(order_id=self.id, confirmed_at=now), now)

    def reject(self, reason: str, *, now: datetime) -> None:
        """The stock was refused, or nobody answered in time."""
        if self.status is OrderStatus.PLACED:
            self.reason = reason
            self._becomes(OrderStatus.REJECTED, OrderRejected(order_id=self.id, reason=reason, rejected_at=now), now)

    def require_payable(self) -> None:
        """Raises OrderNotPayable, with the cure."""
        if self.status is OrderStatus.PLACED:
            raise OrderNotPayable(f"The order {self.id} is not confirmed yet: its stock is being reserved. Try again.")
        if self.status is not OrderStatus.CONFIRMED:
            raise OrderNotPayable(f"The order {self.id} is {self.status} and can't be paid.")

    def pay(self, *, now: datetime) -> None:
        self.require_payable()
        self._becomes(OrderStatus.PAID, OrderPaid(order_id=self.id, paid_at=now), now)

    def cancel(self, reason: str = "", *, now: datetime) -> None:
        """Raises OrderNotCancellable when it is rejected or cancelled already."""
        if self.status in (OrderStatus.REJECTED, OrderStatus.CANCELLED):
            raise OrderNotCancellable(f"The order {self.id} is {self.status} and can't be cancelled.")
        # Confirmed is enough: a payment may have been charged whose commit was lost.
        self.refund_due = self.status is not OrderStatus.PLACED
        self.reason = reason
        self._becomes(OrderStatus.CANCELLED, OrderCancelled(order_id=self.id, cancelled_at=now, reason=reason), now)

    def refunded(self) -> None:
        self.refund_due = False

    @property
    def total_cents(self) -> int:
        return self.quantity * self.unit_price_cents

    def _becomes(self, status: OrderStatus, event: Event, now: datetime) -> None:
        self.status = status
        self.changed_at = now
        self._happened(event)

    def _happened(self, event: Event) -> None:
        self.version += 1
        self.events.append(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What this service knows of a user, from events: it may lag behind, and that is fine for a name."""

    user_id: UUID
    name: str
