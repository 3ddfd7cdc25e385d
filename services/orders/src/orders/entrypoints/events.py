"""What this service does when something happens elsewhere."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from slipway_chassis.events.sources import Source

from ..adapters.repositories import repositories
from ..application import saga, use_cases
from ..application.consumed_events import ReservationRejected, StockReserved, UserRegistered

USERS = Source("users.user.v1")
RESERVATIONS = Source("inventory.reservation.v1")


@USERS.on("users.UserRegistered.v1")
def user_registered(session: Session, event: UserRegistered) -> None:
    use_cases.remember_customer(repositories(session).customers, event)


@RESERVATIONS.on("inventory.StockReserved.v1")
def stock_reserved(session: Session, event: StockReserved) -> None:
    saga.stock_reserved(repositories(session).orders, event.order_id, now=datetime.now(UTC))


@RESERVATIONS.on("inventory.ReservationRejected.v1")
def reservation_rejected(session: Session, event: ReservationRejected) -> None:
    saga.reservation_rejected(repositories(session).orders, event.order_id, event.reason, now=datetime.now(UTC))
