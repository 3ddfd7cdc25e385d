"""What this service does when something happens elsewhere."""

from sqlalchemy.orm import Session

from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import Envelope

from ..adapters.repositories import repositories
from ..application import use_cases
from ..application.consumed_events import OrderChanged, OrderPlaced

# Strict: what was cancelled must not be listed as placed because one event came by another way.
ORDERS = Source("orders.order.v1", strict=True)

STATUS_AFTER = {
    "orders.OrderConfirmed.v1": "confirmed",
    "orders.OrderRejected.v1": "rejected",
    "orders.OrderPaid.v1": "paid",
    "orders.OrderCancelled.v1": "cancelled",
}


@ORDERS.on("orders.OrderPlaced.v1")
def order_placed(session: Session, event: OrderPlaced, envelope: Envelope) -> None:
    use_cases.list_placed_order(repositories(session).order_lists, event, version=envelope.version)


def order_changed(session: Session, event: OrderChanged, envelope: Envelope) -> None:
    status = STATUS_AFTER[envelope.type]
    use_cases.mark_listed_order(repositories(session).order_lists, event, status, version=envelope.version)


for kind in STATUS_AFTER:
    ORDERS.on(kind)(order_changed)
