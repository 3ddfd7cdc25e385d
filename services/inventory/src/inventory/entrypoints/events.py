"""What this service does when something happens elsewhere."""

from sqlalchemy.orm import Session

from slipway_chassis.events.sources import Source

from ..adapters.repositories import repositories
from ..application import use_cases
from ..application.consumed_events import OrderEnded, OrderPaid, OrderPlaced

# Strict: an order's end must never be read before its beginning, or its stock would be held for ever.
ORDERS = Source("orders.order.v1", strict=True)


@ORDERS.on("orders.OrderPlaced.v1")
def order_placed(session: Session, event: OrderPlaced) -> None:
    known = repositories(session)
    use_cases.order_placed(known.items, known.reservations, event)


@ORDERS.on("orders.OrderPaid.v1")
def order_paid(session: Session, event: OrderPaid) -> None:
    known = repositories(session)
    use_cases.order_paid(known.items, known.reservations, event.order_id)


@ORDERS.on("orders.OrderRejected.v1")
@ORDERS.on("orders.OrderCancelled.v1")
def order_ended(session: Session, event: OrderEnded) -> None:
    known = repositories(session)
    use_cases.order_ended(known.items, known.reservations, event.order_id)
