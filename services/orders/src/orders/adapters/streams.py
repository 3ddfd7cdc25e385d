"""What this service publishes."""

from slipway_chassis.events.stream import Stream

from ..domain.events import OrderCancelled, OrderConfirmed, OrderPaid, OrderPlaced, OrderRejected

ORDERS = Stream(
    topic="orders.order.v1",
    aggregate="order",
    source="/orders",
    events={
        "orders.OrderPlaced.v1": OrderPlaced,
        "orders.OrderConfirmed.v1": OrderConfirmed,
        "orders.OrderRejected.v1": OrderRejected,
        "orders.OrderPaid.v1": OrderPaid,
        "orders.OrderCancelled.v1": OrderCancelled,
    },
)
