"""What this service does when something happens elsewhere."""

from sqlalchemy.orm import Session

from slipway_chassis.events.sources import Source

from ..adapters.repositories import repositories
from ..application import use_cases
from ..application.consumed_events import UserRegistered

USERS = Source("users.user.v1")


@USERS.on("users.UserRegistered.v1")
def user_registered(session: Session, event: UserRegistered) -> None:
    use_cases.remember_customer(repositories(session).customers, event)
