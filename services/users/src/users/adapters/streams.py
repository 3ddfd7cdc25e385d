"""What this service publishes."""

from slipway_chassis.events.stream import Stream

from ..domain.events import UserRegistered

USERS = Stream(
    topic="users.user.v1",
    aggregate="user",
    source="/users",
    events={"users.UserRegistered.v1": UserRegistered},
)
