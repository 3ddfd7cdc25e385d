"""Orders are placed and cancelled while every kind of process is killed with -9 at random moments.

Lost 0, doubled 0, out of order 0: compared in the databases of both services and in Kafka itself.
"""

import http.client
import json
import os
import random
import signal
import threading
import time
import uuid
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.structs import OffsetAndMetadata

from conftest import ROOT, eventually
from slipway_chassis.config import KafkaSettings
from slipway_chassis.embedded.processes import Child, free_port
from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.ports import Record
from slipway_chassis.events.stream import Envelope
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.platform import Platform
from slipway_operator.runtimes.local.system import read

pytestmark = [pytest.mark.demo, pytest.mark.timeout(900)]
BASE_PORT = 21000
TOPIC = "orders.order.v1"
RATE, CLIENTS = 200, 16
KILLS_EACH = 10
VICTIMS = ["orders http", "orders relay", "orders relay 2", "users consumer", "Kafka", "PostgreSQL"]
MOST_SECONDS = 400


class World:
    """The local platform with a second relay of orders; what dies is started again, except while it is held."""

    def __init__(self, platform):
        self.platform = platform
        self._hold = threading.Lock()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def start(self):
        self.platform.start()
        relay = self.child("orders relay")
        second = Child("orders relay 2", relay.argv, relay.log, relay.env | {"ADMIN_PORT": str(free_port())})
        second.start()
        self.platform.children.append(second)
        self._watcher.start()

    def stop(self):
        self._stop.set()
        if self._watcher.ident:
            self._watcher.join()
        self.platform.stop()

    def _watch(self):
        while not self._stop.wait(0.2):
            with self._hold:
                self.platform.restart_dead()

    def child(self, name):
        [found] = [child for child in self.platform.children if child.name == name]
        return found

    def kill(self, name):
        pid = self.child(name).pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def held(self):
        """While held nothing is started again: to work on what must stand still."""
        return self._hold

    def rows(self, service, statement):
        password = (self.platform.layout.data / "postgresql" / "password").read_text().strip()
        url = f"postgresql://{service}:{password}@127.0.0.1:{self.platform.layout.postgresql}/{service}"
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def kafka_settings(self):
        return KafkaSettings(kafka_bootstrap_servers=f"127.0.0.1:{self.platform.layout.kafka}")


@pytest.fixture(scope="module", name="world")
def _world(run_folder, machine):
    layout = Layout(run_folder / "platform", gateway=free_port(), base=BASE_PORT)
    world = World(Platform(layout, read(ROOT), machine=machine, tell=lambda *_: None))
    try:
        world.start()
        yield world
    finally:
        world.stop()


@pytest.fixture(scope="module", name="gateway")
def _gateway(world):
    return world.platform.layout.gateway


def call(port, method, path, body=None, headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        sent = {"Content-Type": "application/json"} | dict(headers)
        connection.request(method, path, json.dumps(body) if body is not None else None, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def patiently(port, path, body):
    """A client that does not give up: the same request with the same key, until it has an answer."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    give_up_at = time.monotonic() + 120
    while time.monotonic() < give_up_at:
        try:
            status, answer = call(port, "POST", path, body, key)
        except (OSError, http.client.HTTPException, ValueError):
            status = 0
        if status in (200, 201):
            return answer
        assert status in (0, 409, 502, 503, 504), (status, answer)
        time.sleep(0.1)
    raise AssertionError(f"POST {path} had no answer for two minutes")


class Shop:
    """Clients that place orders at a rate, and cancel every second one, while the block runs."""

    def __init__(self, port, user_id):
        self._port, self._user_id = port, user_id
        self._stop = threading.Event()
        self.placed, self.cancelled, self.errors = [], [], []

    def __enter__(self):
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(150)
        self.seconds = time.monotonic() - self._began

    def _client(self, number):
        due = time.monotonic() + number / RATE
        try:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due = max(due + CLIENTS / RATE, time.monotonic() - 1)
                body = {"user_id": self._user_id, "item": "tea", "quantity": 1, "unit_price_cents": 100}
                order = patiently(self._port, "/v1/orders", body)["id"]
                self.placed.append(order)
                if len(self.placed) % 2:
                    patiently(self._port, f"/v1/orders/{order}/cancel", {})
                    self.cancelled.append(order)
        except AssertionError as error:
            self.errors.append(error)


def new_user(port):
    body = {"name": "Ada", "email": f"{uuid.uuid4().hex}@example.org"}
    return call(port, "POST", "/v1/users", body)[1]["id"]


def listed(world):
    return {str(order): status for order, status in world.rows("users", "SELECT order_id, status FROM listed_orders")}


def test_nothing_is_lost_doubled_or_misordered_however_often_processes_are_killed(world, gateway):
    chance = random.Random(4)
    kills = [victim for victim in VICTIMS for _ in range(KILLS_EACH)]
    chance.shuffle(kills)
    user_id = new_user(gateway)
    began = time.monotonic()

    with Shop(gateway, user_id) as shop:
        for victim in kills:
            assert time.monotonic() - began < MOST_SECONDS, f"{kills.index(victim)} of {len(kills)} kills in time"
            time.sleep(chance.uniform(0.1, 1.5))
            eventually(lambda victim=victim: world.child(victim).alive, within=60)
            world.kill(victim)
        before = len(shop.placed)
        eventually(lambda: len(shop.placed) > before + 50, within=120)

    print(f"{len(shop.placed)} orders, {len(shop.cancelled)} cancelled, {len(kills)} kills in {shop.seconds:.0f} s")
    assert shop.errors == []
    expected = dict.fromkeys(shop.placed, "placed") | dict.fromkeys(shop.cancelled, "cancelled")
    stored = {str(i): s for i, s in world.rows("orders", "SELECT id, status FROM orders")}
    assert stored == expected, "what the clients were told is what is stored: none lost, none placed twice"
    eventually(lambda: world.rows("orders", "SELECT count(*) FROM outbox") == [(0,)], within=120, every=0.5)
    eventually(lambda: listed(world) == expected, within=180, every=1)
    assert_in_order(world, expected)


def assert_in_order(world, expected):
    """Each order's events are in Kafka in the order of their versions; repetitions only of what was there."""
    highest, ids = {}, {}
    for record in kafka_adapter.read_topic(world.kafka_settings, TOPIC):
        if not record.header("ce_id"):
            continue
        envelope = Envelope.of(record)
        assert ids.setdefault((envelope.subject, envelope.version), envelope.id) == envelope.id
        assert envelope.version <= highest.get(envelope.subject, 0) + 1, "an event overtook the one before it"
        highest[envelope.subject] = max(envelope.version, highest.get(envelope.subject, 0))
    assert highest == {order: 2 if status == "cancelled" else 1 for order, status in expected.items()}


@pytest.mark.parametrize("forget", [False, True], ids=["inbox kept", "inbox forgotten"])
def test_a_replay_of_the_whole_topic_leaves_the_projection_byte_equal(world, forget):
    """Also when the inbox forgot everything: then the version in each row is what guards it."""
    dump = "SELECT * FROM listed_orders ORDER BY order_id"
    before = world.rows("users", dump)
    assert before
    admin = KafkaAdminClient(bootstrap_servers=world.kafka_settings.kafka_bootstrap_servers)
    with world.held():
        world.child("users consumer").stop()
        if forget:
            world.rows("users", "TRUNCATE inbox")
        admin.alter_group_offsets(
            "users", {TopicPartition(TOPIC, number): OffsetAndMetadata(0, "", -1) for number in range(6)}
        )
        world.child("users consumer").start()
    admin.close()

    def lag():
        return metric(world, "users consumer", "consumer_lag_records")

    eventually(lambda: metric(world, "users consumer", 'events_consumed_total{type="orders.OrderPlaced.v1"}')
               or metric(world, "users consumer", "inbox_duplicates_total"), within=120)  # fmt: skip
    eventually(lambda: lag() == 0, within=180, every=0.5)
    assert world.rows("users", dump) == before


def test_an_undecodable_record_becomes_a_dead_letter_and_the_consumer_goes_on(world, gateway):
    publisher = kafka_adapter.publisher(world.kafka_settings, client_id="test")
    assert publisher.publish([Record(topic=TOPIC, key=b"k", value=b"\xff not an event")]) == [None]
    publisher.close()

    user_id = new_user(gateway)
    body = {"user_id": user_id, "item": "tea", "quantity": 1, "unit_price_cents": 350}
    for _ in range(20):  # enough for every partition
        call(gateway, "POST", "/v1/orders", body)

    path = f"/v1/users/{user_id}/orders"
    eventually(lambda: len(call(gateway, "GET", path)[1]["orders"]) == 20)
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
