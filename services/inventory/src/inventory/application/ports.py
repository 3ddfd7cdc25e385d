from typing import Protocol
from uuid import UUID

from ..domain.model import Item, Reservation


class Items(Protocol):
    def add(self, item: Item) -> None: ...

    def get(self, sku: str, *, for_change: bool = False) -> Item | None:
        """``for_change``: nobody else may change the item until the transaction ends."""
        ...

    def page(self, *, after: str, limit: int) -> list[Item]:
        """Items in order of their sku, beginning behind ``after``."""
        ...

    def of(self, skus: list[str]) -> list[Item]: ...


class Reservations(Protocol):
    def add(self, reservation: Reservation) -> None: ...

    def get(self, reservation_id: UUID) -> Reservation | None:
        """For change: nobody else may make or change it until the transaction ends."""
        ...
