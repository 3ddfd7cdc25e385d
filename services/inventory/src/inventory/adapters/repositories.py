from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..application.ports import Items, Reservations
from ..domain.model import Item, Reservation
from .tables import items as items_table


class SqlItems:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, item: Item) -> None:
        self._session.add(item)

    def get(self, sku: str, *, for_change: bool = False) -> Item | None:
        return self._session.get(Item, sku, with_for_update=for_change)

    def page(self, *, after: str, limit: int) -> list[Item]:
        statement = select(Item).where(items_table.c.sku > after).order_by(items_table.c.sku).limit(limit)
        return list(self._session.scalars(statement))

    def of(self, skus: list[str]) -> list[Item]:
        return list(self._session.scalars(select(Item).where(items_table.c.sku.in_(skus)).order_by(items_table.c.sku)))


class SqlReservations:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, reservation: Reservation) -> None:
        self._session.add(reservation)

    def get(self, reservation_id: UUID) -> Reservation | None:
        # A lock on the id: a row that is not there yet can't be locked, and two callers might both make it.
        key = func.hashtextextended(f"reservation {reservation_id}", 0)
        self._session.execute(select(func.pg_advisory_xact_lock(key)))
        return self._session.get(Reservation, reservation_id, populate_existing=True)


@dataclass(frozen=True, slots=True)
class Repositories:
    items: Items
    reservations: Reservations


def repositories(session: Session) -> Repositories:
    """Everything this service stores, in one transaction."""
    return Repositories(SqlItems(session), SqlReservations(session))
