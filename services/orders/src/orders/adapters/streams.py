"""What this service publishes, and which topics it reads."""

from slipway_chassis.events.stream import Stream

from ..domain.events import OrderPlaced

ORDERS = Stream(
    topic="orders.order.v1",
    aggregate="order",
    source="/orders",
    events={"orders.OrderPlaced.v1": OrderPlaced},
)

USER_REGISTERED = "users.UserRegistered.v1"
CONSUMED_TOPICS = ("users.user.v1",)
