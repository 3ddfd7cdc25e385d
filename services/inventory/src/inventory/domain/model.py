"""Items and reservations. Of each item, available + reserved + sold changes only when stock is put or counted."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from uuid import UUID

from ..errors import OutOfStock, ReservationSold
from .events import ReservationRejected, StockReleased, StockReserved, StockSold

Event = StockReserved | ReservationRejected | StockReleased | StockSold


@dataclass(kw_only=True, eq=False)
class Item:
    sku: str
    name: str
    price_cents: int
    available: int
    reserved: int = 0
    sold: int = 0

    def hold(self, quantity: int) -> None:
        """Raises OutOfStock when fewer are available."""
        if quantity < 1:
            raise OutOfStock(f"{quantity} of {self.sku} can't be held: at least 1")
        if quantity > self.available:
            raise OutOfStock(f"{self.available} of {self.sku} are available, not {quantity}")
        self.available -= quantity
        self.reserved += quantity

    def give_back(self, quantity: int) -> None:
        self.reserved -= quantity
        self.available += quantity

    def sell(self, quantity: int) -> None:
        self.reserved -= quantity
        self.sold += quantity


class ReservationStatus(StrEnum):
    HELD = "held"
    REJECTED = "rejected"
    RELEASED = "released"
    SOLD = "sold"


@dataclass(kw_only=True, eq=False)
class Reservation:
    """Stock that is held for an order; its id is the order's. Also a refusal is remembered: asked again, the
    answer is the same.
    """

    id: UUID
    sku: str
    quantity: int
    status: ReservationStatus
    of_order: bool = False
    reason: str = ""
    version: int = 1
    events: list[Event] = field(default_factory=list)

    @classmethod
    def hold(cls, reservation_id: UUID, item: Item, quantity: int, *, of_order: bool = False) -> Self:
        """Raises OutOfStock. ``of_order``: what becomes of it is for orders to say alone."""
        item.hold(quantity)
        made = cls(id=reservation_id, sku=item.sku, quantity=quantity, status=ReservationStatus.HELD, of_order=of_order)
        made.events.append(StockReserved(order_id=reservation_id, sku=item.sku, quantity=quantity))
        return made

    @classmethod
    def reject(cls, reservation_id: UUID, sku: str, quantity: int, reason: str) -> Self:
        made = cls(id=reservation_id, sku=sku, quantity=quantity, status=ReservationStatus.REJECTED, reason=reason)
        made.events.append(ReservationRejected(order_id=reservation_id, sku=sku, quantity=quantity, reason=reason))
        return made

    def release(self, item: Item) -> None:
        """Nothing is done where nothing is held; ReservationSold when the stock is gone."""
        if self.status is ReservationStatus.SOLD:
            raise ReservationSold(f"The reservation {self.id} is sold and can't be released.")
        if self.status is ReservationStatus.HELD:
            item.give_back(self.quantity)
            self._becomes(
                ReservationStatus.RELEASED, StockReleased(order_id=self.id, sku=self.sku, quantity=self.quantity)
            )

    def take_back(self, item: Item) -> None:
        """The customer gave back what was paid for already."""
        if self.status is ReservationStatus.SOLD:
            item.sold -= self.quantity
            item.available += self.quantity
            self._becomes(
                ReservationStatus.RELEASED, StockReleased(order_id=self.id, sku=self.sku, quantity=self.quantity)
            )
        else:
            self.release(item)

    def sell(self, item: Item) -> None:
        if self.status is ReservationStatus.HELD:
            item.sell(self.quantity)
            self._becomes(ReservationStatus.SOLD, StockSold(order_id=self.id, sku=self.sku, quantity=self.quantity))

    def _becomes(self, status: ReservationStatus, event: Event) -> None:
        self.status = status
        self.version += 1
        self.events.append(event)
