"""What this service does when something happens elsewhere."""

from sqlalchemy.orm import Session

from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import Envelope

from ..adapters.repositories import repositories
from ..application import use_cases
from ..application.consumed_events import OrderCancelled, OrderPlaced

# Strict: what was cancelled must not be listed as placed because one event came by another way.
ORDERS = Source("orders.order.v1", strict=True)


@ORDERS.on("orders.OrderPlaced.v1")
def order_placed(session: Session, event: OrderPlaced, envelope: Envelope) -> None:
    use_cases.list_placed_order(repositories(session).order_lists, event, version=envelope.version)


@ORDERS.on("orders.OrderCancelled.v1")
def order_cancelled(session: Session, event: OrderCancelled, envelope: Envelope) -> None:
    use_cases.list_cancelled_order(repositories(session).order_lists, event, version=envelope.version)
