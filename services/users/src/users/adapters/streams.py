"""What this service publishes, and which topics it reads."""

from slipway_chassis.events.stream import Stream

from ..domain.events import UserRegistered

USERS = Stream(
    topic="users.user.v1",
    aggregate="user",
    source="/users",
    events={"users.UserRegistered.v1": UserRegistered},
)

ORDER_PLACED = "orders.OrderPlaced.v1"
CONSUMED_TOPICS = ("orders.order.v1",)
