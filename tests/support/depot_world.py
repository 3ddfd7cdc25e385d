"""A depot (support.depot) with its worker, who writes to it, and whether all of it was applied once and in order."""

import http.client
import os
import sys
import uuid
from collections import Counter, defaultdict

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

CLERKS = 4
CHANGES, OPEN_ORDERS = 3, 10  # of each order, while so many of a clerk are worked on


class World:
    """The service's database, its worker, and where it is asked."""

    def __init__(self, name, postgresql, brokers, folder):
        self.name, self.settings = name, KafkaSettings(kafka_bootstrap_servers=brokers)
        self.orders, self.receipts = f"{name}.order.v1", f"{name}.receipt.v1"  # topics
        url = postgresql.ensure_database(name)
        self.database = Database(
            SecretStr(url.replace("postgresql://", "postgresql+psycopg://")), application_name="clerk"
        )
        service = depot.declared(name)
        service.prepare_once()
        service.schema(self.database).upgrade()
        self.admin = free_port()
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "tests" / "support"), "DEPOT": name,
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
            described = admin.describe_groups([self.name])
            found = described[self.name] if isinstance(described, dict) else described[0]
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
    for envelope in envelopes(world, world.orders):
        assert ids.setdefault((envelope.subject, envelope.version), envelope.id) == envelope.id
        if envelope.version not in seen[envelope.subject]:
            seen[envelope.subject].append(envelope.version)
    assert seen == {order: list(range(1, version + 1)) for order, version in versions.items()}
    told = {envelope.subject for envelope in envelopes(world, world.receipts)}
    kept = Counter(str(receipt) for (receipt,) in world.rows("SELECT id FROM receipts"))
    assert told == kept.keys()
    assert set(kept.values()) == {1}


def envelopes(world, topic):
    return [Envelope.of(record) for record in kafka_adapter.read_topic(world.settings, topic)]
