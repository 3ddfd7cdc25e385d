"""The list of orders follows the events of orders, whatever way they come."""

import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from slipway_chassis.events.stream import Envelope
from users.adapters.tables import listed_orders
from users.bootstrap import SERVICE
from users.entrypoints.events import ORDERS
from users.errors import OrderNotListed

pytestmark = [pytest.mark.integration, pytest.mark.core]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = uuid.UUID(int=1)
PLACED, CANCELLED = "orders.OrderPlaced.v1", "orders.OrderCancelled.v1"
CONFIRMED, PAID = "orders.OrderConfirmed.v1", "orders.OrderPaid.v1"
FIELDS = {
    PLACED: {
        "order_id": ORDER,
        "user_id": uuid.UUID(int=2),
        "item": "tea",
        "quantity": 1,
        "total_cents": 350,
        "placed_at": NOW,
    },
    CANCELLED: {"order_id": ORDER},
    CONFIRMED: {"order_id": ORDER},
    PAID: {"order_id": ORDER},
}


@pytest.fixture(name="happen")
def _happen(database, client_of, users_settings):
    client_of(SERVICE, settings=users_settings)

    def happen(kind, version):
        reaction = ORDERS.reactions[kind]
        envelope = Envelope(id=uuid.uuid4(), type=kind, source="/orders", subject=str(ORDER), time=NOW, version=version)
        with database.transaction() as session:
            reaction.handler(session, reaction.event(**FIELDS[kind]), envelope)
        with database.transaction() as session:
            return session.scalars(select(listed_orders.c.status)).all()

    return happen


def test_a_cancelled_order_is_listed_as_such(happen):
    assert happen(PLACED, 1) == ["placed"]
    assert happen(CANCELLED, 2) == ["cancelled"]


def test_older_news_change_nothing(happen):
    happen(PLACED, 1)
    happen(CANCELLED, 2)

    assert happen(PLACED, 1) == ["cancelled"]
    assert happen(CANCELLED, 2) == ["cancelled"]


def test_news_that_came_too_early_are_refused_and_not_dropped(happen):
    with pytest.raises(OrderNotListed):
        happen(CANCELLED, 2)


def test_the_list_follows_the_order_to_its_end(happen):
    told = [happen(kind, version) for version, kind in enumerate([PLACED, CONFIRMED, PAID, CANCELLED], start=1)]

    assert told == [["placed"], ["confirmed"], ["paid"], ["cancelled"]]
