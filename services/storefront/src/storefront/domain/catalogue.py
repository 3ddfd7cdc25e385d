"""What other services know, as far as the shop shows it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

FINAL = frozenset({"rejected", "cancelled", "paid"})
CANCELLABLE = frozenset({"placed", "confirmed", "paid"})
PAYABLE = frozenset({"confirmed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    sku: str
    name: str
    price_cents: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UUID
    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOrder:
    """An order as events told of it: a little behind the order itself."""

    order_id: UUID
    item: str
    quantity: int
    total_cents: int
    placed_at: datetime
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    id: UUID
    item: str
    quantity: int
    unit_price_cents: int
    total_cents: int
    placed_at: datetime
    status: str
    reason: str = ""

    @property
    def final(self) -> bool:
        """Nothing happens to it any more by itself."""
        return self.status in FINAL

    @property
    def payable(self) -> bool:
        return self.status in PAYABLE

    @property
    def cancellable(self) -> bool:
        return self.status in CANCELLABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """``after`` is where the next page begins; None on the last."""

    orders: tuple[Order, ...]
    after: UUID | None = None
