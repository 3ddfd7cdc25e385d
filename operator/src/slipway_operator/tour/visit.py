"""One load on a shop from its beginning to its end: who comes, what they order, and what became of it."""

import time
from collections.abc import Callable, Mapping, Sequence

from ..errors import LessonFailed
from .arrivals import arrivals
from .customers import Customer, Shop, forged
from .lesson import CANCEL, ORDER, Load
from .load import Customers
from .measuring import Measured, Outcome, measured, with_counts, with_orders

# Events that come at all come one after the other; after so long without any, the rest is lost.
QUIET_SECONDS = 20
# What is as it should be has to stay so: the last events may be under way.
STEADY_SECONDS = 5
PAUSE_SECONDS = 0.5
# A process that was killed is started again, which takes long on a machine that has much else to do.
RESTART_SECONDS = 180
# Connections that are kept are there before anything is counted.
WARM_UP_SECONDS = 2
OPEN = {"placed", "confirmed"}


class Visit:
    """``gateway``: the port of the shop's gateway, which accounts and prices are asked from. ``port``: where the
    requests of ``load`` go. ``admin``: the port of the gateway's admin page, where arrivals are looked at. LessonFailed
    where the shop has not what the load needs.
    """

    def __init__(self, load: Load, *, gateway: int, port: int, admin: int) -> None:
        self._load, self._port, self._admin, self._shop = load, port, admin, Shop(gateway)
        self._customer = self._shop.new_customer() if load.who != "anybody" else None
        self._orders, self._cancels = ORDER in load.requests, CANCEL in load.requests
        self._order = self._one(load.order) if self._orders else None
        self._before: Mapping[str, int] = {}
        self._reserved = self._shop.reserved(load.order) if self._cancels else 0

    def _one(self, item: str) -> dict[str, object]:
        return {"item": item, "quantity": 1, "unit_price_cents": self._shop.price_of(item)}

    def run(self, meanwhile: Callable[[], None]) -> Sequence[Outcome]:
        """Lets the customers come, calls ``meanwhile`` while they are there, and waits for the last one."""
        if self._load.watched:
            warm_up = self._customers(self._load.model_copy(update={"seconds": WARM_UP_SECONDS}))
            warm_up.begin()
            warm_up.let_go()
            warm_up.wait()
            self._before = arrivals(self._admin, self._load.watched)
        customers = self._customers(self._load)
        customers.begin()
        try:
            meanwhile()
        finally:
            customers.let_go()
        return customers.wait()

    def _customers(self, load: Load) -> Customers:
        token = self._customer.token if self._customer else ""
        return Customers(
            load,
            self._port,
            token=forged(token) if load.who == "stranger" else token,
            user=self._customer.id if self._customer else "",
            order=self._order,
        )

    def counted(self, outcomes: Sequence[Outcome]) -> Measured:
        """With the orders that were lost, for which their events are waited for."""
        found = measured(outcomes)
        if not found.counts["sent"]:
            raise LessonFailed("no customer got to ask anything: the machine is too busy")
        if self._load.watched:
            now = arrivals(self._admin, self._load.watched)
            found = with_counts(found, **{name: count - self._before[name] for name, count in now.items()})
        if not (self._orders and self._customer):
            return found
        if self._cancels:
            return with_counts(found, placed=len(found.orders), stranded=self._stranded(self._customer))
        found = with_orders(found, _confirmed(self._shop, self._customer, found))
        wishes = {outcome.key for outcome in outcomes if outcome.key}
        if not wishes:
            return found
        return with_counts(found, doubled=max(0, len(self._shop.orders(self._customer)) - len(wishes)))

    def _stranded(self, customer: Customer) -> int:
        """How many items are held at last beyond those of orders that have not ended. Others who order the same
        meanwhile are counted, too.
        """

        def look() -> int:
            orders = self._shop.orders(customer)
            return self._shop.reserved(self._load.order) - self._reserved - sum(map(OPEN.__contains__, orders.values()))

        return settled(look)


def settled(look: Callable[[], int]) -> int:
    """What it gives at last: 0 for some seconds, or anything else for longer. LessonFailed where no answer comes."""
    last: int | None = None
    since = answered = time.monotonic()
    while True:
        now = _or_none(look)
        if now is not None:
            answered = time.monotonic()
        elif time.monotonic() - answered > RESTART_SECONDS:
            raise LessonFailed(f"the shop did not answer for {RESTART_SECONDS} s after the fault: its logs say why")
        if now != last or now is None:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > (QUIET_SECONDS if last else STEADY_SECONDS):
            return now
        time.sleep(PAUSE_SECONDS)


def _or_none(look: Callable[[], int]) -> int | None:
    """None: no answer now."""
    try:
        return look()
    except LessonFailed:
        return None


def _confirmed(shop: Shop, customer: Customer, found: Measured) -> int:
    """How many of the orders inventory has reserved at last. A service that was killed needs a moment to answer."""
    wanted = set(found.orders)
    confirmed, since = -1, time.monotonic()
    while confirmed < len(wanted):
        now = _or_none(lambda: _reserved(shop, customer, wanted))
        if now is not None and now > confirmed:
            confirmed, since = now, time.monotonic()
        elif time.monotonic() - since > (QUIET_SECONDS if confirmed >= 0 else RESTART_SECONDS):
            break
        else:
            time.sleep(PAUSE_SECONDS)
    if confirmed < 0:
        raise LessonFailed(f"orders did not answer for {RESTART_SECONDS} s after the fault: its log says why")
    return confirmed


def _reserved(shop: Shop, customer: Customer, wanted: set[str]) -> int:
    orders = shop.orders(customer)
    return sum(orders.get(order) == "confirmed" for order in wanted)
