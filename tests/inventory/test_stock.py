"""Stock, whatever happens to it: nothing is sold twice, nothing is lost, and telling again changes nothing."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.model import Item, Reservation, ReservationStatus
from inventory.errors import OutOfStock, ReservationSold

STOCK = 10
STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "release", "take_back", "sell"]), st.integers(1, 6), st.integers(1, 7)),
    max_size=60,
)


@given(STEPS)
def test_stock_adds_up_whatever_is_done_in_whatever_order(steps):
    item = Item(sku="tea", name="Tea", price_cents=350, available=STOCK)
    made = {}
    for action, number, quantity in steps:
        reservation = made.get(number)
        if action == "reserve" and reservation is None:
            try:
                made[number] = Reservation.hold(UUID(int=number), item, quantity)
            except OutOfStock:
                made[number] = Reservation.reject(UUID(int=number), "tea", quantity, "out of stock")
        elif action != "reserve" and reservation is not None:
            before = reservation.version
            try:
                getattr(reservation, action)(item)
            except ReservationSold:
                assert (action, reservation.status) == ("release", ReservationStatus.SOLD)
            assert reservation.version - before in (0, 1)
        held = sum(one.quantity for one in made.values() if one.status is ReservationStatus.HELD)
        sold = sum(one.quantity for one in made.values() if one.status is ReservationStatus.SOLD)
        assert (item.reserved, item.sold) == (held, sold)
        assert item.available + item.reserved + item.sold == STOCK
        assert item.available >= 0
    for reservation in made.values():
        assert reservation.version == len(reservation.events)


def test_too_much_is_refused_with_what_there_is():
    item = Item(sku="tea", name="Tea", price_cents=350, available=1)

    with pytest.raises(OutOfStock, match="1 of tea are available, not 2"):
        Reservation.hold(UUID(int=1), item, 2)
