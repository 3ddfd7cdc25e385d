"""The offered load of the release tests, and whether what clients were told is what is stored, listed and published.

SHARE_OF_LOAD (0.4) scales it: two cores that also start pods carry no more than that.
"""

import json
import os
import time
from contextlib import ExitStack, contextmanager

from slipway_chassis.testing.plugin import eventually
from support.kind.commands import GATEWAY, kubectl
from support.load import Load
from support.repository import ROOT
from support.shop import Customer

SHARE = float(os.environ.get("SHARE_OF_LOAD", "0.4"))
READS = [("GET", "/v2/users/me", None), ("GET", "/v1/orders?limit=1", None)]
ORDER = ("POST", "/v1/orders", {"item": "tea", "quantity": 1, "unit_price_cents": 350})
MOST_LOAD_SECONDS = 900
SETTLE_SECONDS = 180


class Traffic:
    """150 requests and 50 orders a second of one customer through the gateway, while the block runs."""

    def __init__(self, reads):
        self.customer = Customer(GATEWAY)
        self.reads = Load(self.customer, reads, rate=150 * SHARE, clients=12, seconds=MOST_LOAD_SECONDS)
        self.orders = Load(self.customer, [ORDER], rate=50 * SHARE, clients=8, seconds=MOST_LOAD_SECONDS)

    def __enter__(self):
        self._began = time.monotonic()
        with ExitStack() as stack:
            for load in (self.reads, self.orders):
                stack.enter_context(load)
            self._loads = stack.pop_all()
        return self

    def __exit__(self, *error):
        self._loads.__exit__(*error)
        self.seconds = time.monotonic() - self._began

    @property
    def sent(self):
        return self.reads.sent + self.orders.sent

    @property
    def failures(self):
        return self.reads.failures + self.orders.failures

    def flows(self):
        """Waits until more requests were answered."""
        self.reads.wait_for(100, within=120)
        self.orders.wait_for(20, within=120)

    def __str__(self):
        rates = f"{self.reads.sent / self.seconds:.0f} requests/s and {self.orders.sent / self.seconds:.0f} orders/s"
        return f"{rates} for {self.seconds:.0f} s, {len(self.failures)} failed"


@contextmanager
def traffic(reads=READS):
    """No request of it fails."""
    with Traffic(reads) as flowing:
        flowing.flows()
        yield flowing
        flowing.flows()
    print(f"\n  {flowing}")
    assert flowing.failures[:20] == []


def audit(auditor, customer):
    script = (ROOT / "tests" / "support" / "kind" / "audit.py").read_text()
    return json.loads(kubectl("exec", "-i", auditor, "--", "python", "-", customer.id, stdin=script))


def assert_no_event_was_lost_doubled_or_misordered(auditor, flowing):
    """What clients were told is what is stored, listed by the other service, and in Kafka, in order."""

    def settled():
        found = audit(auditor, flowing.customer)
        complete = {order: status for order, (status, _) in found["orders"].items()} == found["listed"]
        sent = all(found["published"][order] == version for order, (_, version) in found["orders"].items())
        return not any(found["outboxes"].values()) and complete and sent and found

    found = eventually(settled, within=SETTLE_SECONDS, every=2)
    assert sorted(found["orders"]) == sorted(flowing.orders.created)
    assert found["misordered"] == []
    print(f"  {len(found['orders'])} orders, each in its place; {found['repeated']} events were sent twice")
