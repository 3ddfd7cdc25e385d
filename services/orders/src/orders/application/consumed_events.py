"""Events of other services, with the fields this service needs: whatever else they carry is ignored."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered:
    user_id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReserved:
    order_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationRejected:
    order_id: UUID
    reason: str
