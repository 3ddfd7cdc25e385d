from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from uuid import UUID

from .events import OrderPlaced


@dataclass(kw_only=True, eq=False)
class Order:
    id: UUID
    user_id: UUID
    item: str
    quantity: int
    unit_price_cents: int
    placed_at: datetime
    version: int = 0
    events: list[OrderPlaced] = field(default_factory=list)

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
            version=1,
        )
        order.events.append(
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

    @property
    def total_cents(self) -> int:
        return self.quantity * self.unit_price_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What this service knows of a user, from events: it may lag behind, and that is fine for a name."""

    user_id: UUID
    name: str
