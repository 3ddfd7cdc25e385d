"""Orders are placed, paid, cancelled and left alone while every process is killed with -9 at random moments.

Each is killed KILLS_EACH (1) times; `make soak` kills more often. Lost 0, doubled 0, out of order 0: compared in the
databases of the services and in Kafka itself. Every order ends in a final state, and the stock adds up to the last
item: no reservation leaks.
"""

import http.client
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.structs import OffsetAndMetadata

from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.ports import Record
from slipway_chassis.testing.plugin import eventually
from support.orders_audit import TOPIC, assert_in_order, listed, orders_of
from support.shop import Customer
from support.shop_world import FINAL, PRICE, SKU, Shoppers, running

pytestmark = [pytest.mark.demo, pytest.mark.timeout(900)]
BASE_PORT = 21000
RATE, CLIENTS = 120, 16
KILLS_EACH = int(os.environ.get("KILLS_EACH", "1"))
VICTIMS = [
    "orders http", "orders relay", "orders relay 2", "orders consumer", "users http", "users worker",
    "inventory grpc", "inventory worker", "storefront http", "gateway", "Kafka", "PostgreSQL",
]  # fmt: skip
MOST_SECONDS = 100 * KILLS_EACH + 200
LEAST_PAID = 20


@pytest.fixture(scope="module", name="world")
def _world(run_folder, machine):
    with running(run_folder / "platform", machine, base=BASE_PORT) as world:
        yield world


@pytest.fixture(name="customer")
def _customer(world):
    return Customer(world.platform.layout.gateway_url)


@pytest.mark.load
def test_nothing_is_lost_doubled_or_misordered_however_often_processes_are_killed(world, customer):
    # Some orders of kills leave no time in which everything is up, and then nothing is ever paid: not this one.
    chance = random.Random(5)
    kills = [victim for victim in VICTIMS for _ in range(KILLS_EACH)]
    chance.shuffle(kills)
    eventually(lambda: world.rows("inventory", f"SELECT sku FROM items WHERE sku = '{SKU}'"))
    [(stock,)] = world.rows("inventory", f"SELECT available FROM items WHERE sku = '{SKU}'")
    began = time.monotonic()

    with Shoppers(customer, rate=RATE, clients=CLIENTS) as shop:
        for victim in kills:
            assert time.monotonic() - began < MOST_SECONDS, f"{kills.index(victim)} of {len(kills)} kills in time"
            assert not shop.errors
            # A killed consumer stays a member for ten seconds: between kills there must be time to sell something.
            time.sleep(chance.uniform(0.3, 4.5))
            eventually(lambda victim=victim: world.child(victim).alive, within=60)
            world.kill(victim)
        before = len(shop.placed)
        eventually(lambda: shop.errors or (len(shop.placed) > before + 50 and len(shop.paid) >= LEAST_PAID), within=120)

    assert shop.errors == []
    # What was left alone is cancelled when its time is over.
    eventually(lambda: {status for status, _ in orders_of(world).values()} <= FINAL, within=240, every=1)
    stored = orders_of(world)
    states = Counter(status for status, _ in stored.values())
    print(f"{len(shop.placed)} orders, {dict(states)}, {len(kills)} kills in {shop.seconds:.0f} s")
    assert set(stored) == set(shop.placed), "what the clients were told is what is stored: none lost, none placed twice"
    assert all(stored[order][0] == "cancelled" for order in shop.cancelled)
    assert all(stored[order][0] == "paid" for order in shop.paid)
    assert states["paid"] >= LEAST_PAID
    for service in ("orders", "inventory", "users"):
        eventually(lambda service=service: world.rows(service, "SELECT count(*) FROM outbox") == [(0,)], within=120)
    expected = {order: status for order, (status, _) in stored.items()}
    eventually(lambda: listed(world) == expected, within=180, every=1)
    assert_stock_adds_up(world, stock, expected)
    assert_in_order(world, {order: version for order, (_, version) in stored.items()})


def assert_stock_adds_up(world, stock, expected):
    """What was paid is sold, all else is back on the shelf; each order has its reservation, in the same state."""
    sold = sum(status == "paid" for status in expected.values())
    statement = f"SELECT available, reserved, sold FROM items WHERE sku = '{SKU}'"
    eventually(lambda: world.rows("inventory", statement) == [(stock - sold, 0, sold)], within=120, every=1)
    reservations = {str(one): status for one, status in world.rows("inventory", "SELECT id, status FROM reservations")}
    ends = {"paid": {"sold"}, "cancelled": {"released"}, "rejected": {"released", "rejected"}}
    assert set(reservations) == set(expected)
    assert all(reservations[order] in ends[status] for order, status in expected.items())


@pytest.mark.parametrize("forget", [False, True], ids=["inbox kept", "inbox forgotten"])
def test_a_replay_of_the_whole_topic_leaves_the_projection_byte_equal(world, forget):
    """Also when the inbox forgot everything: then the version in each row is what guards it."""
    dump = "SELECT * FROM listed_orders ORDER BY order_id"
    before = world.rows("users", dump)
    assert before
    admin = KafkaAdminClient(bootstrap_servers=world.kafka_settings.kafka_bootstrap_servers)
    with world.held():
        world.child("users worker").stop()
        if forget:
            world.rows("users", "TRUNCATE inbox")
        admin.alter_group_offsets(
            "users", {TopicPartition(TOPIC, number): OffsetAndMetadata(0, "", -1) for number in range(6)}
        )
        world.child("users worker").start()
    admin.close()

    def lag():
        return metric(world, "users worker", "consumer_lag_records")

    eventually(lambda: metric(world, "users worker", 'events_consumed_total{type="orders.OrderPlaced.v1"}')
               or metric(world, "users worker", "inbox_duplicates_total"), within=120)  # fmt: skip
    eventually(lambda: lag() == 0, within=180, every=0.5)
    assert world.rows("users", dump) == before


def test_an_undecodable_record_becomes_a_dead_letter_and_the_consumer_goes_on(world, customer):
    publisher = kafka_adapter.publisher(world.kafka_settings, client_id="test")
    assert publisher.publish([Record(topic=TOPIC, key=b"k", value=b"\xff not an event")]) == [None]
    publisher.close()

    body = {"item": SKU, "quantity": 1, "unit_price_cents": PRICE}
    for _ in range(20):  # enough for every partition
        customer.call("POST", "/v1/orders", body)

    eventually(lambda: len(customer.call("GET", "/v2/users/me/orders")[1]["orders"]) == 20)
    [letter] = kafka_adapter.read_topic(world.kafka_settings, f"{TOPIC}.users.dlq")
    assert letter.value == b"\xff not an event"
    assert letter.header("dlq_reason") == "invalid"


def test_nothing_is_left_in_the_outbox(world):
    eventually(lambda: metric(world, "orders relay", "outbox_pending") == 0)


def metric(world, process, name):
    connection = http.client.HTTPConnection("127.0.0.1", world.platform.admin_port(process), timeout=5)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    except OSError:
        return None
    finally:
        connection.close()
    values = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")]
    return values[0] if values else None


def test_logs_name_no_password(world):
    password = (world.platform.layout.data / "postgresql" / "password").read_text()
    for log in Path(world.platform.layout.data).rglob("*.log"):
        assert password not in log.read_text(errors="replace"), log
