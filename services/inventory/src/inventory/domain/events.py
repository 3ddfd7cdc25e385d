"""What happens to reservations, in the past tense. Other services read these: add fields, never change them."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReserved:
    order_id: UUID
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationRejected:
    order_id: UUID
    sku: str
    quantity: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReleased:
    order_id: UUID
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockSold:
    order_id: UUID
    sku: str
    quantity: int
