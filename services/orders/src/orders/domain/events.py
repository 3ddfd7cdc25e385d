"""What happens to orders, in the past tense. Other services read these: add fields, never change them."""

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
class OrderCancelled:
    order_id: UUID
    cancelled_at: datetime
