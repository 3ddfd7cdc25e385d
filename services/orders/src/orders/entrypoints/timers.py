"""What this service does without being asked: the saga's time-outs."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from slipway_chassis.timers import Timer

from ..adapters.payments import SimulatedProvider
from ..adapters.repositories import repositories
from ..application import saga
from ..settings import OrdersSettings

PROVIDER = SimulatedProvider()


def reject_unanswered(session: Session, settings: OrdersSettings) -> None:
    saga.reject_unanswered(repositories(session).orders, timeout=settings.reservation_timeout, now=datetime.now(UTC))


def cancel_unpaid(session: Session, settings: OrdersSettings) -> None:
    saga.cancel_unpaid(repositories(session).orders, timeout=settings.payment_timeout, now=datetime.now(UTC))


def refund(session: Session, _settings: OrdersSettings) -> None:
    saga.refund(repositories(session).orders, PROVIDER)


TIMERS = [
    Timer(name="unanswered orders", seconds=1, run=reject_unanswered),
    Timer(name="unpaid orders", seconds=1, run=cancel_unpaid),
    Timer(name="refunds", seconds=1, run=refund),
]
