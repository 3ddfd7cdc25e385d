"""Tests of orders that mock whatever is outside: each function is called, and nothing that it relies on is there."""

from datetime import UTC, datetime
from unittest.mock import Mock
from uuid import UUID

from orders.adapters.repositories import SqlCustomers, SqlOrders
from orders.adapters.tables import map_domain
from orders.application.use_cases import Customer, place_order
from orders.entrypoints import events

map_domain()
NOW, ID = datetime(2026, 1, 1, tzinfo=UTC), UUID(int=1)


def test_an_order_is_placed_and_saved() -> None:
    orders = Mock()
    order = place_order(orders, order_id=ID, user_id=ID, item="tea", quantity=2, unit_price_cents=350, now=NOW)
    orders.add.assert_called_once_with(order)
    assert order.total_cents == 700


def test_a_page_of_orders_is_what_the_database_gives() -> None:
    session = Mock()
    session.scalars.return_value = ["first", "second"]
    assert SqlOrders(session).page(of_user=ID, after=ID, limit=2) == ["first", "second"]


def test_a_customer_is_remembered() -> None:
    session = Mock()
    SqlCustomers(session).put(Customer(user_id=ID, name="Ada"))
    session.execute.assert_called_once()


def test_a_rejection_reaches_the_order() -> None:
    session = Mock()
    events.reservation_rejected(session, Mock())
    session.get.return_value.reject.assert_called_once()
