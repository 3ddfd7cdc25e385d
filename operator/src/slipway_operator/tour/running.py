"""A lesson from its first run to its last rollback."""

import secrets
import time
from dataclasses import dataclass

from ..errors import LessonFailed
from . import faults
from .customers import Customer, Shop, forged
from .lesson import Fault, Lesson, Run
from .load import Customers
from .measuring import Measured, measured, with_orders
from .relations import broken
from .shop import RunningShop

# Events that come at all come one after the other; after so long without any, the rest is lost.
QUIET_SECONDS = 20
# A process that was killed is started again, which takes long on a machine that has much else to do.
RESTART_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Result:
    """``failed``: relations that do not hold."""

    with_it: Measured
    without_it: Measured
    failed: tuple[str, ...]


class LessonRun:
    """Its parts in their order: with the pattern, off, without it, on."""

    def __init__(self, lesson: Lesson, shop: RunningShop) -> None:
        self.lesson, self._shop = lesson, shop
        self._run: Run = lesson.runnable

    def with_it(self) -> Measured:
        if self._shop.lacks(self.lesson):
            self._shop.put_back(self._run.service)
        return self._measure()

    def take_away(self) -> str:
        return self._shop.take_away(self.lesson)

    def without_it(self) -> Measured:
        return self._measure()

    def put_back(self) -> bool:
        return self._shop.put_back(self._run.service)

    def judged(self, with_it: Measured, without_it: Measured) -> Result:
        run = self._run
        return Result(with_it, without_it, tuple(broken(run.harm, run.relations, with_it.counts, without_it.counts)))

    # --- one run
    def _measure(self) -> Measured:
        """Releases that are part of the fault are taken back at its end, whatever happened."""
        released = {fault.release: self._shop.active(fault.release) for fault in self._run.fault if fault.release}
        try:
            return self._run_once()
        finally:
            for service, label in released.items():
                self._shop.put_back(service, label)

    def _run_once(self) -> Measured:
        load, asking = self._run.load, Shop(self._shop.layout.gateway)
        customer = asking.new_customer() if load.who != "anybody" else None
        orders = any(request.startswith("POST /v1/orders") for request in load.requests)
        order = {"item": load.order, "quantity": 1, "unit_price_cents": asking.price_of(load.order)} if orders else None
        for fault in self._run.fault:
            if fault.before:
                self._happen(fault)
        token = customer.token if customer else ""
        customers = Customers(
            load,
            self._shop.port_of(load.at),
            token=forged(token) if load.who == "stranger" else token,
            user=customer.id if customer else "",
            order=order,
        )
        customers.begin()
        for fault in self._run.fault:
            if not fault.before:
                self._happen(fault)
        found = measured(customers.wait())
        if not found.counts["sent"]:
            raise LessonFailed("no customer got to ask anything: the machine is too busy")
        return with_orders(found, _confirmed(asking, customer, found)) if orders and customer else found

    def _happen(self, fault: Fault) -> None:
        data = self._shop.layout.data
        if fault.freeze:
            faults.freeze(data, fault.freeze, fault.seconds)
        elif fault.kill:
            faults.kill(data, fault.kill)
        else:
            self._shop.release_next(fault.release, f"next-{secrets.token_hex(3)}")


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
