"""Events of other services, with the fields this service needs: whatever else they carry is ignored."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    order_id: UUID
    item: str
    quantity: int
    total_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaid:
    order_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEnded:
    """Rejected or cancelled."""

    order_id: UUID
