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
class OrderConfirmed:
    """The stock is reserved; the order can be paid."""

    order_id: UUID
    confirmed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """The stock could not be reserved, or nobody answered in time: whatever is reserved for it is to be released."""

    order_id: UUID
    reason: str
    rejected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaid:
    order_id: UUID
    paid_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    order_id: UUID
    cancelled_at: datetime
    reason: str = ""
