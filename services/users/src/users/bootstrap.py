"""The one place where ports meet their implementations."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from slipway_chassis.database import Database
from slipway_chassis.events.consumer import Reaction
from slipway_chassis.events.outbox import write_events_of

from .adapters.repositories import SqlOrderLists, SqlUsers
from .adapters.streams import CONSUMED_TOPICS, ORDER_PLACED, USERS
from .adapters.tables import map_domain
from .application import use_cases
from .application.consumed_events import OrderPlaced
from .application.ports import OrderLists, Users
from .domain.model import User

STREAMS = {User: USERS}
__all__ = ["CONSUMED_TOPICS", "STREAMS", "Repositories", "prepare", "reactions", "transaction"]


@dataclass(frozen=True, slots=True)
class Repositories:
    users: Users
    order_lists: OrderLists


def prepare() -> None:
    """Maps the domain and connects it to the outbox. Call once per process."""
    map_domain()
    write_events_of(STREAMS)


def repositories(session: Session) -> Repositories:
    return Repositories(SqlUsers(session), SqlOrderLists(session))


@contextmanager
def transaction(database: Database) -> Iterator[Repositories]:
    with database.transaction() as session:
        yield repositories(session)


def reactions() -> Mapping[str, Reaction]:
    """What this service does when something happens elsewhere."""

    def order_placed(session: Session, event: OrderPlaced) -> None:
        use_cases.list_placed_order(repositories(session).order_lists, event)

    return {ORDER_PLACED: Reaction(OrderPlaced, order_placed)}
