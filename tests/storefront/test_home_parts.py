"""The home page from three parts: what is late, down or refused is left out, and named."""

# tokens of tests are no secrets

import threading
from contextvars import ContextVar

import pytest

from slipway_chassis import deadline
from slipway_chassis.errors import BulkheadFull, CircuitOpen, DeadlineExceeded, UpstreamUnavailable
from storefront.adapters.parallel import Rounds
from storefront.application.home import show_home
from storefront.domain.catalogue import Item, User
from storefront.domain.home import Home, Part
from storefront.domain.session import Account
from storefront.errors import Late, NotSignedIn, Refused

ACCOUNT = Account(subject="1", name="Ada", access_token="a", refresh_token="r", expires_at=0)
TEA = Item(sku="tea", name="Tea", price_cents=1, available=1)
USER = User(id="1", name="Ada", email="ada@example.org")


class AtOnce:
    """A round that asks when the answer is wanted."""

    def __init__(self):
        self.begun = []

    def ask(self, part, question):
        self.begun.append(part)
        return question


class Shelves:
    def __init__(self, error=None):
        self.error = error

    def items(self):
        if self.error:
            raise self.error
        return (TEA,)


class People:
    def __init__(self, error=None):
        self.error = error

    def me(self, account):
        assert account is ACCOUNT
        return USER

    def my_orders(self, account):
        if self.error:
            raise self.error
        return ()


def test_a_visitor_who_is_not_signed_in_gets_the_items():
    asked = AtOnce()

    assert show_home(asked, Shelves(), People()) == Home(items=(TEA,))
    assert asked.begun == [Part.INVENTORY]


def test_all_parts_are_begun_for_who_is_signed_in():
    asked = AtOnce()

    assert show_home(asked, Shelves(), People(), account=lambda: ACCOUNT) == Home(items=(TEA,), user=USER)
    assert set(asked.begun) == set(Part)


@pytest.mark.parametrize(
    "error",
    [Late("late"), UpstreamUnavailable("down"), CircuitOpen("open"), Refused(403, "no"), DeadlineExceeded("over"),
     KeyError("bug")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_part_that_fails_is_left_out_and_named(error):
    home = show_home(AtOnce(), Shelves(error), People(), account=lambda: ACCOUNT)

    assert (home.items, home.user, home.missing, home.partial) == ((), USER, (Part.INVENTORY,), True)
    assert "the items for sale" in home.notice


def test_all_parts_may_be_missing():
    def signed_out():
        raise NotSignedIn("ended")

    home = show_home(AtOnce(), Shelves(Late("late")), People(), account=signed_out)

    assert home == Home(missing=(Part.INVENTORY, Part.ORDERS, Part.USER))
    assert home.notice.endswith("the items for sale, your last orders and your account.")


def test_a_bug_is_logged_with_its_trace_and_an_outage_without(caplog):
    show_home(AtOnce(), Shelves(KeyError("bug")), People(Late("late")), account=lambda: ACCOUNT)

    assert [(record.levelname, bool(record.exc_info)) for record in caplog.records] == [
        ("ERROR", True),
        ("WARNING", False),
    ]


# --- the threads


@pytest.fixture(name="rounds")
def _rounds():
    rounds = Rounds(Part, seconds=0.05, places=2)
    yield rounds
    rounds.close()


@pytest.fixture(name="stuck")
def _stuck():
    """A question that has no answer until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


def test_a_question_without_an_answer_is_late_and_holds_nobody_else(rounds, stuck):
    asked = rounds.begin()
    late, there = asked.ask(Part.USER, stuck), asked.ask(Part.INVENTORY, lambda: 7)

    with pytest.raises(Late):
        late()
    assert there() == 7  # it came in time, whenever it is looked at


def test_a_part_whose_places_are_taken_is_refused_at_once_and_the_others_go_on(rounds, stuck):
    for _ in range(2):
        rounds.begin().ask(Part.USER, stuck)

    asked = rounds.begin()
    refused, there = asked.ask(Part.USER, lambda: 1), asked.ask(Part.INVENTORY, lambda: 2)

    assert there() == 2
    with pytest.raises(BulkheadFull):
        refused()


def test_a_place_is_free_again_when_its_question_ended(rounds):
    for number in range(20):
        asked = rounds.begin()
        assert asked.ask(Part.ORDERS, lambda number=number: number)() == number


def test_an_error_comes_out_where_the_answer_is_wanted(rounds):
    def fail():
        raise UpstreamUnavailable("down")

    answer = rounds.begin().ask(Part.ORDERS, fail)

    with pytest.raises(UpstreamUnavailable):
        answer()


def test_threads_know_the_request_they_work_for(rounds):
    who = ContextVar("who", default="nobody")
    who.set("ada")
    with deadline.until(4_000_000_000.0):
        asked = rounds.begin().ask(Part.USER, lambda: (who.get(), deadline.current()))
        assert asked() == ("ada", 4_000_000_000.0)


def test_a_round_has_no_more_time_than_its_request(rounds):
    with deadline.until(1.0), pytest.raises(DeadlineExceeded):
        rounds.begin()
