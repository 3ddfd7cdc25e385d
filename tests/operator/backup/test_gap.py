"""What a restore notes of the gap while its service is stopped, and where rows go on."""

import json
import uuid
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest
from pydantic import SecretStr

from slipway_chassis.cli.run import find_service
from slipway_chassis.config import DatabaseSettings, KafkaSettings
from slipway_chassis.database import Database
from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.ports import Record
from slipway_chassis.events.stream import Envelope
from slipway_operator.backup.creating import create
from slipway_operator.backup.databases import Databases
from slipway_operator.backup.folder import Backups
from slipway_operator.backup.gap import gap, go_on
from slipway_operator.backup.progress import mark_of
from slipway_operator.backup.shop import Shop
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.system import Service, of_one

pytestmark = pytest.mark.integration
TOPIC = "orders.order.v1"
INSERT = (
    "INSERT INTO orders (id, user_id, item, quantity, unit_price_cents, placed_at, status, changed_at, reason,"
    " refund_due, version) VALUES (%s, %s, 'tea', 1, 350, now(), 'placed', now(), '', false, 1)"
)


@pytest.fixture(name="url")
def _url(postgresql, name):
    """A database of orders, by the service's own migrations."""
    url = postgresql.ensure_database(name)
    settings = DatabaseSettings(database_url=SecretStr(url))
    with closing(Database(settings.database_url, application_name="test")) as database:
        find_service("orders").schema(database).upgrade()
    return url


@pytest.fixture(name="shop")
def _shop(run_folder, postgresql, kafka, url, name, tmp_path):
    brokers = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    (run_folder / "environment.json").write_text(json.dumps({"": {}, name: brokers}))
    (run_folder / "ports.json").write_text(json.dumps([0, postgresql.port]))
    layout = Layout(run_folder, gateway=0, base=postgresql.port)
    service = Service(name=name, module="orders", processes=("migrate", "http", "relay"))
    with layout.locked():
        yield Shop(layout, of_one(service, tmp_path / "pyproject.toml"))


def publish(kafka, order, version):
    settings = KafkaSettings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    kafka_adapter.ensure_topics(settings, [TOPIC])
    event = Envelope(
        id=uuid.uuid4(),
        type="orders.OrderPlaced.v1",
        source="orders",
        subject=str(order),
        time=datetime.now(UTC),
        version=version,
    )
    with closing(kafka_adapter.publisher(settings, client_id="test")) as publisher:
        assert publisher.publish([Record(TOPIC, str(order).encode(), b"{}", event.headers())]) == [None]


def test_rows_go_on_from_what_others_know_and_the_gap_stays_noted(shop, kafka, url, name, tmp_path):
    behind, lost = uuid.uuid4(), uuid.uuid4()
    with psycopg.connect(url, autocommit=True) as orders:
        orders.execute(INSERT, [behind, uuid.uuid4()])
    made = create(
        shop, Backups(tmp_path / "b"), services=[], passphrase=None, keep=None, tell=lambda *_: None
    ).manifest.name
    found, [service] = Backups(tmp_path / "b").named(made), shop.chosen([])
    publish(kafka, behind, 3)
    publish(kafka, lost, 1)

    def mine(aggregates):
        told = {one.aggregate_id: (one.published, one.stored) for one in aggregates}
        return [told.get(str(order)) for order in (behind, lost)]

    def version():
        with psycopg.connect(url) as orders:
            return orders.execute("SELECT version FROM orders WHERE id = %s", [behind]).fetchone()[0]

    assert mine(one for _, one in gap(shop, found, [])) == [(3, 1), (1, None)], "as a restore would leave it"
    mark = f"{mark_of(made)}{'0' * 16}"
    with psycopg.connect(shop.url("postgres"), autocommit=True) as superuser:
        superuser.execute(f"COMMENT ON DATABASE {name} IS '{mark}'")
    assert Databases(shop).mark(name) == mark

    assert mine(go_on(shop, found, service, mark).aggregates) == [(3, 1), (1, None)]
    assert version() == 3
    assert mine(go_on(shop, found, service, mark).aggregates) == [(3, 1), (1, None)], "one that was killed goes on"
    with psycopg.connect(url, autocommit=True) as orders:
        orders.execute("UPDATE orders SET version = 4 WHERE id = %s", [behind])
    assert mine(one for _, one in gap(shop, found, [])) == [(3, 1), (1, None)], "whatever was written since"
    assert mine(go_on(shop, found, service, f"{mark[:-1]}1").aggregates) == [None, (1, None)], "of another restore"
    assert version() == 4
