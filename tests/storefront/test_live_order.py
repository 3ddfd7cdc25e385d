"""The stream of an order's changes, on a clock that the test moves."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from slipway_chassis.errors import UpstreamUnavailable
from storefront.application.live import Beat, Pace, Seen, follow
from storefront.domain.catalogue import Order
from storefront.errors import OrderNotFound

PLACED = Order(
    id=UUID(int=1), item="tea", quantity=1, unit_price_cents=1, total_cents=1,
    placed_at=datetime(2026, 1, 1, tzinfo=UTC), status="placed",
)  # fmt: skip


class World:
    """``states`` by the second from which they hold: an order, or an error."""

    def __init__(self, states=None):
        self.states = states or {}
        self.now = 100.0
        self.waits = []
        self.stop_at = float("inf")

    def find(self):
        held = [state for second, state in self.states.items() if self.now - 100 >= second]
        state = held[-1] if held else PLACED
        if isinstance(state, Exception):
            raise state
        return replace(PLACED, status=state) if isinstance(state, str) else state

    def wait(self, seconds):
        self.waits.append(round(seconds, 3))
        self.now += seconds

    def told(self, first=PLACED, **pace):
        followed = follow(
            first, self.find, clock=lambda: self.now, wait=self.wait,
            stopping=lambda: self.now >= self.stop_at, pace=Pace(**pace),
        )  # fmt: skip
        return ["beat" if isinstance(one, Beat) else f"{one.order.status}{'.' if one.last else ''}" for one in followed]


def test_the_present_state_comes_first_and_then_each_change():
    assert World({1: "confirmed", 5: "paid"}).told() == ["placed", "confirmed", "paid."]


@pytest.mark.parametrize("status", ["rejected", "cancelled", "paid"])
def test_a_final_state_is_all_there_is(status):
    world = World()

    assert world.told(replace(PLACED, status=status)) == [f"{status}."]
    assert world.waits == []


def test_it_asks_soon_then_more_seldom_and_soon_again_after_a_change():
    world = World({6: "confirmed"})

    world.told()

    assert world.waits[0] == 0.4
    assert max(world.waits) == 1.5
    assert world.waits[world.waits.index(1.5) :].count(0.4) == 1


def test_a_sign_of_life_comes_every_ten_seconds_and_the_stream_ends_after_its_time():
    world = World()

    assert world.told() == ["placed", "beat", "beat"]
    assert 23 < world.now - 100 <= 25


def test_an_outage_is_waited_out_and_the_change_told():
    assert World({1: UpstreamUnavailable("down"), 8: "rejected"}).told() == ["placed", "rejected."]


@pytest.mark.parametrize("error", [OrderNotFound("gone"), KeyError("bug")])
def test_a_refusal_ends_the_stream(error):
    world = World({1: error})

    assert world.told() == ["placed"]
    assert world.now - 100 < 3


def test_it_ends_when_the_process_drains():
    world = World()
    world.stop_at = 103

    assert world.told() == ["placed"]
    assert world.now - 100 < 5


def test_a_change_of_the_reason_is_a_change():
    cancelled = replace(PLACED, status="placed", reason="waiting for stock")

    assert World({1: cancelled}).told(stream=5.0) == ["placed", "placed"]


def test_seen_carries_the_order():
    [seen] = follow(
        replace(PLACED, status="paid"), list, clock=lambda: 0.0, wait=list, stopping=lambda: False, pace=Pace()
    )

    assert isinstance(seen, Seen)
    assert seen.last
