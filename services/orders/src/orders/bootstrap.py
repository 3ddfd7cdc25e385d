"""The one place where ports meet their implementations."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from slipway_chassis.database import Database
from slipway_chassis.events.consumer import Reaction
from slipway_chassis.events.outbox import write_events_of

from .adapters.repositories import SqlCustomers, SqlOrders
from .adapters.streams import CONSUMED_TOPICS, ORDERS, USER_REGISTERED
from .adapters.tables import map_domain
from .application import use_cases
from .application.consumed_events import UserRegistered
from .application.ports import Customers, Orders
from .domain.model import Order

STREAMS = {Order: ORDERS}
__all__ = ["CONSUMED_TOPICS", "STREAMS", "Repositories", "prepare", "reactions", "transaction"]


@dataclass(frozen=True, slots=True)
class Repositories:
    orders: Orders
    customers: Customers


def prepare() -> None:
    """Maps the domain and connects it to the outbox. Call once per process."""
    map_domain()
    write_events_of(STREAMS)


def repositories(session: Session) -> Repositories:
    return Repositories(SqlOrders(session), SqlCustomers(session))


@contextmanager
def transaction(database: Database) -> Iterator[Repositories]:
    with database.transaction() as session:
        yield repositories(session)


def reactions() -> Mapping[str, Reaction]:
    """What this service does when something happens elsewhere."""

    def user_registered(session: Session, event: UserRegistered) -> None:
        use_cases.remember_customer(repositories(session).customers, event)

    return {USER_REGISTERED: Reaction(UserRegistered, user_registered)}
