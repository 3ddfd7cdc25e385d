"""`slipway up` with the whole shop, released and rolled back while customers order, and killed in the middle of it."""

import json
import re
import subprocess

import pytest

from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.testing.plugin import eventually
from support.load import Load
from support.orders_audit import TOPIC, assert_in_order, listed, orders_of
from support.repository import ROOT
from support.shop import Customer
from support.up import SLIPWAY, Up

pytestmark = [pytest.mark.demo, pytest.mark.timeout(900)]
BASE_PORT = 30000
ORDER = {"item": "tea", "quantity": 1, "unit_price_cents": 350}
REQUESTS = [("POST", "/v1/orders", ORDER), ("GET", "/v1/orders", None)]
RATE = 30


@pytest.fixture(scope="module", name="up")
def _up(run_folder):
    with Up(run_folder, base=BASE_PORT) as running:
        yield running


def assert_every_event_once(up):
    """Every order was settled, is on the list of its customer as it is, and took one item off the shelf."""
    eventually(lambda: "placed" not in {status for status, _ in orders_of(up).values()}, within=180, every=0.5)
    stored = orders_of(up)
    eventually(lambda: listed(up) == {order: status for order, (status, _) in stored.items()}, within=180, every=0.5)
    [(held,)] = up.rows("inventory", "SELECT reserved + sold FROM items WHERE sku = 'tea'")
    assert held == len(stored)
    assert_in_order(up, {order: version for order, (_, version) in stored.items()})


def test_a_release_and_a_rollback_fail_no_request_and_lose_no_event(up):
    customer = Customer(up.url)

    with Load(customer, REQUESTS, rate=RATE, clients=6) as load:
        load.wait_for(RATE)
        released = up.slipway("release", "orders", "--version", "2")
        assert released.returncode == 0, released.stdout + released.stderr
        shown = up.slipway("status", "orders").stdout
        back = up.slipway("rollback", "orders")
        assert back.returncode == 0, back.stdout + back.stderr
        load.wait_for(RATE)

    assert load.failures == []
    print(f"{load.sent} requests during a release and a rollback, 0 failed")
    assert "  2          answers requests (1/1 ready)" in shown
    told = [line.split()[3] for line in released.stdout.splitlines() if line.split()[2] == "orders"]
    assert [each for each in told if each[0].isupper()] == [
        "Release", "Migrating", "Starting", "Checking", "HandingOver", "Switching", "Watching", "Draining",
    ]  # fmt: skip
    assert set(load.created) <= set(orders_of(up))
    assert_every_event_once(up)


def test_killing_it_in_the_middle_of_a_release_costs_no_event_and_it_goes_on(up):
    """Requests fail while nothing runs; what was answered before is there, and the release comes to its end."""
    customer = Customer(up.url)
    orders = [customer.call("POST", "/v1/orders", ORDER)[1]["id"] for _ in range(20)]
    asking = subprocess.Popen(
        [*SLIPWAY, "release", "orders", "--version", "3", "--data", str(up.data)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    begin = len(up.journal())
    eventually(lambda: "HandingOver" in up.journal()[begin:], within=180)

    up.kill()
    told = asking.communicate(timeout=120)[0]
    up.start()

    assert "started again, it goes on with this release" in told
    eventually(lambda: up.status()["phase"] == "Released", within=180)
    assert "  3          answers requests (1/1 ready)" in up.slipway("status", "orders").stdout
    assert set(orders) <= set(orders_of(up))
    assert_every_event_once(up)


def test_a_version_that_can_not_start_is_held_and_said(up, tmp_path):
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "__init__.py").write_text("raise RuntimeError('no such thing')\n")

    done = up.slipway("release", "orders", "--version", "broken", "--from", str(tmp_path))

    assert done.returncode == 1
    assert "orders stays with version" in done.stderr
    assert "no such thing" in done.stderr
    assert Customer(up.url).call("GET", "/v1/orders")[0] == 200


def test_who_asks_wrongly_gets_a_sentence(up):
    assert (
        "there is no service payments, only: users, orders"
        in up.slipway("release", "payments", "--version", "2").stderr
    )
    assert "has no version nine; kept:" in up.slipway("rollback", "orders", "nine").stderr
    assert (
        "dev is the working tree itself" in up.slipway("release", "orders", "--version", "dev", "--set", "A=1").stderr
    )


def test_customers_and_faults_by_hand_lose_no_event(up):
    def loaded():
        done = up.slipway("load", "--for", "3s", "-o", "json", "POST /v1/orders", "/v1/orders?limit=1")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    quiet = loaded()
    assert quiet["counts"]["placed"] > quiet["counts"]["lost"] == quiet["counts"]["refused"] == 0
    assert set(quiet["requests"]) == {"POST /v1/orders", "GET /v1/orders?limit=1"}

    for words, said in {
        ("freeze", "inventory.worker", "--for", "1s"): r"^inventory worker is frozen for 1 s\ninventory worker goes on",
        ("kill", "orders.worker"): "^orders worker was killed$",
        ("poison", TOPIC): f"^a record that is no event is in {TOPIC}$",
    }.items():
        done = up.slipway("fault", *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(said, done.stdout, re.MULTILINE), done.stdout
    assert loaded()["counts"]["lost"] == 0
    for group in ("users", "inventory"):
        [letter] = kafka_adapter.read_topic(up.kafka_settings, f"{TOPIC}.{group}.dlq")
        assert letter.header("dlq_reason") == "invalid"
    assert "Kafka has no topic orders.ordr.v1 here" in up.slipway("fault", "poison", "orders.ordr.v1").stderr
    assert "no process orders.htp runs here, only: Kafka, " in up.slipway("fault", "kill", "orders.htp").stderr
