"""What this service publishes."""

from slipway_chassis.events.stream import Stream

from ..domain.events import OrderCancelled, OrderPlaced

ORDERS = Stream(
    topic="orders.order.v1",
    aggregate="order",
    source="/orders",
    events={"orders.OrderPlaced.v1": OrderPlaced, "orders.OrderCancelled.v1": OrderCancelled},
)
