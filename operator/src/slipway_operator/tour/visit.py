"""One load on a shop from its beginning to its end: who comes, what they order, and what became of it."""

import time
from collections.abc import Callable, Sequence

from ..errors import LessonFailed
from .customers import Customer, Shop, forged
from .lesson import Load
from .load import Customers
from .measuring import Measured, Outcome, measured, with_orders

# Events that come at all come one after the other; after so long without any, the rest is lost.
QUIET_SECONDS = 20
# A process that was killed is started again, which takes long on a machine that has much else to do.
RESTART_SECONDS = 180


class Visit:
    """``gateway``: the port of the shop's gateway, which accounts and prices are asked from. ``port``: where the
    requests of ``load`` go. LessonFailed where the shop has not what the load needs.
    """

    def __init__(self, load: Load, *, gateway: int, port: int) -> None:
        self._load, self._port, self._shop = load, port, Shop(gateway)
        self._customer = self._shop.new_customer() if load.who != "anybody" else None
        self._orders = any(request.startswith("POST /v1/orders") for request in load.requests)
        self._order = self._one(load.order) if self._orders else None

    def _one(self, item: str) -> dict[str, object]:
        return {"item": item, "quantity": 1, "unit_price_cents": self._shop.price_of(item)}

    def run(self, meanwhile: Callable[[], None]) -> Sequence[Outcome]:
        """Lets the customers come, calls ``meanwhile`` while they are there, and waits for the last one."""
        token = self._customer.token if self._customer else ""
        customers = Customers(
            self._load,
            self._port,
            token=forged(token) if self._load.who == "stranger" else token,
            user=self._customer.id if self._customer else "",
            order=self._order,
        )
        customers.begin()
        meanwhile()
        return customers.wait()

    def counted(self, outcomes: Sequence[Outcome]) -> Measured:
        """With the orders that were lost, for which their events are waited for."""
        found = measured(outcomes)
        if not found.counts["sent"]:
            raise LessonFailed("no customer got to ask anything: the machine is too busy")
        if not (self._orders and self._customer):
            return found
        return with_orders(found, _confirmed(self._shop, self._customer, found))


def _confirmed(shop: Shop, customer: Customer, found: Measured) -> int:
    """How many of the orders inventory has reserved at last. A service that was killed needs a moment to answer."""
    wanted = set(found.orders)
    confirmed, since = -1, time.monotonic()
    while confirmed < len(wanted):
        now = _reserved(shop, customer, wanted)
        if now is not None and now > confirmed:
            confirmed, since = now, time.monotonic()
        elif time.monotonic() - since > (QUIET_SECONDS if confirmed >= 0 else RESTART_SECONDS):
            break
        else:
            time.sleep(0.5)
    if confirmed < 0:
        raise LessonFailed(f"orders did not answer for {RESTART_SECONDS} s after the fault: its log says why")
    return confirmed


def _reserved(shop: Shop, customer: Customer, wanted: set[str]) -> int | None:
    """None: no answer now."""
    try:
        return len(shop.confirmed(customer) & wanted)
    except LessonFailed:
        return None
