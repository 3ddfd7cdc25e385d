"""Events of other services, with the fields this service needs: whatever else they carry is ignored."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    order_id: UUID
    user_id: UUID
    item: str
    quantity: int
    total_cents: int
    placed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged:
    """Any later event of an order: its type says what became of it."""

    order_id: UUID
