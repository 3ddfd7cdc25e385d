from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from orders.domain.model import Order

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(quantity=st.integers(1, 1_000), price=st.integers(0, 1_000_000))
def test_placing_an_order_is_an_event_with_its_total(quantity, price):
    order = Order.place(
        order_id=UUID(int=1), user_id=UUID(int=2), item="tea", quantity=quantity, unit_price_cents=price, now=NOW
    )

    [event] = order.events
    assert (event.order_id, event.user_id, event.item, event.placed_at) == (order.id, order.user_id, "tea", NOW)
    assert event.total_cents == order.total_cents == quantity * price
    assert order.version == 1
