"""A restore drill: while customers order, a backup is written, another one is killed, the database of orders is
destroyed as a neighbour would do it, and restored. What is apart afterwards is named, and nothing is told twice.
"""

import json
import os
import re
import signal
import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.stream import Envelope
from slipway_chassis.testing.plugin import eventually
from support.orders_audit import TOPIC, listed, orders_of
from support.repository import ROOT
from support.shop import Customer
from support.shop_world import PRICE, SKU, Shoppers, patiently
from support.up import SLIPWAY, Up

SECONDS = 60 * float(os.environ.get("MINUTES") or 0)
pytestmark = [pytest.mark.demo, pytest.mark.soak, pytest.mark.timeout(4 * SECONDS + 900)]
BASE_PORT = 31000
# `make soak` has its minutes: as many orders as these place, before the backup and in the gap.
RATE, CLIENTS = (30, 8) if SECONDS else (15, 6)
ORDERS = max(30, int(RATE * SECONDS / 10))
UNDECIDED = 8  # orders that are cancelled in the gap, and again as soon as somebody answers
FINAL = "SELECT o::text FROM orders o WHERE status IN ('rejected', 'cancelled', 'paid') ORDER BY id"


class Customers(Shoppers):
    """404: the order was placed in the gap."""

    refusals = (404, 409)

    def wait_for(self, orders):
        enough = len(self.placed) + orders
        eventually(lambda: self.errors or len(self.placed) >= enough, within=300 + 4 * SECONDS)
        assert self.errors == []


@pytest.fixture(scope="module", name="up")
def _up(run_folder):
    with Up(run_folder, base=BASE_PORT) as running:
        yield running


def said(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def superuser(up, database, **more):
    password = (up.data / "postgresql" / "password").read_text().strip()
    url = f"postgresql://postgres:{password}@127.0.0.1:{up.base}/{database}"
    return psycopg.connect(url, connect_timeout=5, **more)


def backup_that_is_killed(up):
    """When it has written one database, and reads another."""
    with superuser(up, "inventory") as holding:
        holding.execute("LOCK TABLE alembic_version")  # which no customer needs
        with subprocess.Popen(up.command("backup", "create"), cwd=ROOT, stdout=subprocess.DEVNULL) as writer:
            begun = "backups/.partial-*/orders.dump"
            eventually(lambda: writer.poll() is not None or list(up.data.glob(begun)), within=60)
            assert writer.poll() is None, "it waits for the table"
            os.kill(writer.pid, signal.SIGKILL)


def published(up):
    """Ids of the events by order and version, as they are in Kafka."""
    found = defaultdict(set)
    for record in kafka_adapter.read_topic(up.kafka_settings, TOPIC):
        envelope = Envelope.of(record)
        found[envelope.subject, envelope.version].add(str(envelope.id))
    return found


def audited(up, folder):
    """What is apart: the check, with its subjects and sentences."""
    (folder / ".slipway").symlink_to(up.data)
    command = [*SLIPWAY, "audit", "--file", str(ROOT / "pyproject.toml"), "--settle", "5s", "-o", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    checks = {each["check"]: each["details"] for each in json.loads(done.stdout)}
    return {check: {one["subject"]: one["what"] for one in details} for check, details in checks.items() if details}


def undecided(customer, up):
    """Orders that wait for their payment."""
    body = {"item": SKU, "quantity": 1, "unit_price_cents": PRICE}
    placed = [patiently(customer, "/v1/orders", body)[1]["id"] for _ in range(UNDECIDED)]
    eventually(lambda: all(orders_of(up)[order][0] == "confirmed" for order in placed), within=60)
    return placed


def cancelled(customer, order):
    return patiently(customer, f"/v1/orders/{order}/cancel", {}, until=(200,))[1]["status"]


def is_settled(up, gap):
    """Every order waits for its payment or has come to its end; and others know how it stands, unless it went back."""
    stored = {order: status for order, (status, _) in orders_of(up).items()}
    known, went_back = listed(up), {one["aggregate"] for one in gap}
    return "placed" not in stored.values() and all(
        known.get(order) == status for order, status in stored.items() if order not in went_back
    )


def test_a_database_that_was_destroyed_under_load_comes_back_and_nothing_is_told_twice(up, tmp_path):
    customer = Customer(up.url)
    with (
        Customers(customer, rate=RATE, clients=CLIENTS, seconds=600 + 8 * SECONDS) as customers,
        ThreadPoolExecutor(UNDECIDED) as others,
    ):
        customers.wait_for(ORDERS)
        waiting = undecided(customer, up)
        final = up.rows("orders", FINAL)
        name = said(up.slipway("backup", "create")).splitlines()[-1].split()[0]
        backup_that_is_killed(up)
        [offered] = json.loads(said(up.slipway("backup", "ls", "-o", "json")))
        assert (offered["name"], offered["fault"]) == (name, "")
        said(up.slipway("backup", "verify", name))
        assert {cancelled(customer, order) for order in waiting} == {"cancelled"}
        customers.wait_for(ORDERS)

        with superuser(up, "postgres", autocommit=True) as neighbour:
            neighbour.execute("DROP DATABASE orders WITH (FORCE)")
        again = [others.submit(cancelled, customer, order) for order in waiting]
        restored = said(up.slipway("backup", "restore", name, "--service", "orders", "--yes"))
        print(restored)
        assert re.search(r"orders: RPO \d+\.\d s, RTO \d+\.\d s\n", restored), restored
        assert set(final) <= set(up.rows("orders", FINAL)), "what was at its end before the backup is as it was"
        assert {each.result(timeout=120) for each in again} == {"cancelled"}
        gap = json.loads(said(up.slipway("backup", "gap", name, "--service", "orders", "-o", "json")))
        customers.wait_for(ORDERS)

    assert customers.errors == []
    eventually(lambda: is_settled(up, gap), within=180, every=0.5)
    events, stored = published(up), orders_of(up)
    print(f"{len(customers.placed)} orders placed, {len(stored)} stored, {len(gap)} in the gap")
    doubled = {where: ids for where, ids in events.items() if len(ids) > 1}
    assert not doubled, "no version of an order was told twice"
    lost = {order for order, _ in events} - stored.keys()
    assert lost, "the gap had orders"
    assert {one["aggregate"] for one in gap if one["database"] == "none"} == lost
    assert set(waiting) <= {one["aggregate"] for one in gap} - lost, "they went back, and go on from what others know"
    apart = audited(up, tmp_path)
    assert apart.keys() == {"aggregates orders"}, apart
    assert apart["aggregates orders"].keys() == lost
