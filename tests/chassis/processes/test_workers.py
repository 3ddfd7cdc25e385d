"""`slipway run NAME worker`: relay and consumer of a service in one process. It is asked to end, loses one of its
loops, and is killed; no event is lost, doubled or out of order.
"""

import http.client
import os
import random
import signal
import sys
import time
import uuid
from collections import Counter, defaultdict

import pytest
from kafka import KafkaAdminClient
from pydantic import SecretStr
from sqlalchemy import text

from slipway_chassis.config import KafkaSettings
from slipway_chassis.database import Database
from slipway_chassis.embedded.processes import Child, free_port
from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.stream import Envelope
from slipway_chassis.testing.plugin import eventually
from support import depot
from support.load import Clients
from support.repository import ROOT

NAME = f"depot{uuid.uuid4().hex[:8]}"
ORDERS, RECEIPTS = f"{NAME}.order.v1", f"{NAME}.receipt.v1"
CLERKS = 4
CHANGES, OPEN_ORDERS = 3, 10  # of each order, while so many of a clerk are worked on


class World:
    """The service's database, its worker, and where it is asked."""

    def __init__(self, url, brokers, settings, folder):
        self.settings = settings
        self.database = Database(
            SecretStr(url.replace("postgresql://", "postgresql+psycopg://")), application_name="clerk"
        )
        service = depot.declared(NAME)
        service.prepare_once()
        service.schema(self.database).upgrade()
        self.admin = free_port()
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "tests" / "support"), "DEPOT": NAME,
               "DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": brokers, "ADMIN_PORT": str(self.admin)}  # fmt: skip
        argv = [sys.executable, "-m", "slipway_chassis", "run", "depot", "worker"]
        self.worker = Child("worker", argv, folder / "worker.log", env)

    def start(self):
        self.worker.start()
        eventually(self.ready, within=90)

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def ready(self):
        assert self.worker.alive, self.worker.last_words()
        return self.ask("/readyz")[0] == 200

    def metric(self, name):
        lines = self.ask("/metrics")[1].splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def rows(self, statement):
        with self.database.autocommit() as connection:
            found = connection.execute(text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    def count(self, table):
        return self.rows(f"SELECT count(*) FROM {table}")[0][0]  # tables of this test

    def place(self, order):
        with self.database.transaction() as session:
            found = session.get(depot.Order, order) or depot.Order(id=order)
            session.add(found)
            found.change()

    def members(self):
        admin = KafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap_servers)
        try:
            described = admin.describe_groups([NAME])
            found = described[NAME] if isinstance(described, dict) else described[0]
            return [member["client_id"] for member in found["members"]]
        finally:
            admin.close()


class Clerks(Clients):
    """They place orders at a rate, in transactions of their own, and change each a few times more."""

    def __init__(self, world, rate):
        super().__init__(self._write, [CLERKS / rate] * CLERKS, seconds=1800, catch_up=1)
        self._world = world
        self._open_orders = [[] for _ in range(CLERKS)]
        self.written = []

    def __exit__(self, *raised):
        super().__exit__(*raised)
        self.per_second = len(self.written) / self.seconds
        assert not self.errors

    def _write(self, clerk, _count):
        orders = self._open_orders[clerk]
        if not orders:
            orders += [uuid.uuid4() for _ in range(OPEN_ORDERS)] * CHANGES
        self._world.place(orders.pop(0))
        self.written.append(1)


@pytest.fixture(scope="module", name="world")
def _world(postgresql, kafka, run_folder):
    settings = KafkaSettings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    world = World(postgresql.ensure_database(NAME), kafka.bootstrap_servers, settings, run_folder / NAME)
    yield world
    world.worker.stop()
    world.database.close()


@pytest.fixture(name="running")
def _running(world):
    if not world.worker.alive:
        world.start()
    return world


def place(world, count):
    before = world.count("receipts")
    for _ in range(count):
        world.place(uuid.uuid4())
    return before + count


@pytest.mark.integration
class TestOneProcess:
    def test_it_sends_and_reads_and_tells_of_both(self, running):
        wanted = place(running, 20)

        eventually(lambda: running.count("receipts") == wanted, within=60)
        eventually(lambda: running.count("outbox") == 0, within=60)
        assert running.metric("outbox_published_total") == 2 * running.metric("events_consumed_total")
        assert running.metric("outbox_shards_owned") > 0
        assert [each.rpartition("-")[0] for each in running.members()] == [f"{NAME}-consumer-dev"]
        assert '"process.title": "worker"' in running.worker.log.read_text()

    def test_asked_to_end_it_leaves_nothing_behind_that_it_had_in_hand(self, running):
        before = running.count("receipts")
        place(running, 300)
        eventually(lambda: running.count("receipts") > before, within=60)

        running.worker.ask_to_end()

        assert running.worker.wait(60) == 0
        assert running.members() == [], "it has left its group"
        assert running.rows(f"SELECT count(*) FROM outbox WHERE topic = '{RECEIPTS}'") == [(0,)], (
            "what its last handlers wrote was sent"
        )
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database"
        assert running.rows(f"{locks} WHERE datname = '{NAME}')") == [(0,)]
        assert "Traceback" not in running.worker.log.read_text()

    def test_without_one_of_its_loops_it_ends_to_be_started_again(self, running):
        running.rows("ALTER TABLE outbox RENAME TO elsewhere")

        try:
            assert running.worker.wait(90) != 0
        finally:
            running.rows("ALTER TABLE elsewhere RENAME TO outbox")
        assert "the relay ended by itself" in running.worker.log.read_text()
        assert running.members() == [], "the consumer had finished and left"
        running.start()
        wanted = place(running, 5)
        eventually(lambda: running.count("receipts") >= wanted, within=60)


@pytest.mark.parametrize(
    ("kills", "rate"),
    [pytest.param(3, 50, id="3 times", marks=[pytest.mark.integration, pytest.mark.core]),
     pytest.param(20, 200, id="20 times", marks=[pytest.mark.soak, pytest.mark.timeout(1800)])],
)  # fmt: skip
def test_killed_at_any_moment_it_loses_doubles_and_misorders_nothing(running, kills, rate):
    chance, before = random.Random(20), running.count("orders")

    with Clerks(running, rate) as clerks:
        for _ in range(kills):
            had = running.count("receipts")
            # The next member of the group gets its partitions when the dead one is given up: some ten seconds.
            eventually(lambda had=had: running.count("receipts") > had, within=120)
            time.sleep(chance.uniform(0, 1.5))
            os.kill(running.worker.pid, signal.SIGKILL)
            eventually(lambda: not running.worker.alive, within=30)
            running.start()

    placed = sum(version for (version,) in running.rows("SELECT version FROM orders"))
    eventually(lambda: running.count("receipts") >= placed, within=300, every=0.5)
    eventually(lambda: running.count("outbox") == 0, within=120, every=0.5)
    written = f"{running.count('orders') - before} orders, {placed} events, {clerks.per_second:.0f} a second"
    print(f"{written}, {kills} kills")
    assert_each_was_applied_once_and_in_order(running)
    assert_all_is_in_kafka_once_and_in_order(running)


def assert_each_was_applied_once_and_in_order(world):
    applied = defaultdict(list)
    for order, number in world.rows("SELECT order_id, number FROM receipts ORDER BY n"):
        applied[order].append(number)
    versions = dict(world.rows("SELECT id, version FROM orders"))
    assert applied == {order: list(range(1, version + 1)) for order, version in versions.items()}


def assert_all_is_in_kafka_once_and_in_order(world):
    """Once, as an inbox counts: what a killed relay had sent and not removed yet is there again, with the same id."""
    versions = {str(order): version for order, version in world.rows("SELECT id, version FROM orders")}
    seen, ids = defaultdict(list), {}
    for envelope in envelopes(world, ORDERS):
        assert ids.setdefault((envelope.subject, envelope.version), envelope.id) == envelope.id
        if envelope.version not in seen[envelope.subject]:
            seen[envelope.subject].append(envelope.version)
    assert seen == {order: list(range(1, version + 1)) for order, version in versions.items()}
    told = {envelope.subject for envelope in envelopes(world, RECEIPTS)}
    kept = Counter(str(receipt) for (receipt,) in world.rows("SELECT id FROM receipts"))
    assert told == kept.keys()
    assert set(kept.values()) == {1}


def envelopes(world, topic):
    return [Envelope.of(record) for record in kafka_adapter.read_topic(world.settings, topic)]
