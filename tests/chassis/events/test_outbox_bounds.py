"""A relay beside large events, a table that can't be written, and an outbox that is too large to be counted."""

import uuid

import psycopg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from slipway_chassis.events import outbox_size, tables
from slipway_chassis.events.outbox import SHARDS
from slipway_chassis.events.outbox_size import COUNTED, Measuring
from slipway_chassis.events.relay import BATCH_BYTES, LARGEST_PAYLOAD, Relay
from slipway_chassis.testing.broker import MemoryBroker

pytestmark = [pytest.mark.integration, pytest.mark.core]
TOPIC = "parcels.parcel.v1"
EVERY_SHARD = set(range(SHARDS))


class Wire:
    """Publishes to a broker in memory and notes how many bytes each round brought; ``before_answer`` runs when the
    records are there and the relay was not told yet.
    """

    def __init__(self):
        self.broker = MemoryBroker()
        self.sizes = []
        self.before_answer = lambda: None

    def publish(self, records):
        self.sizes.append(sum(len(record.value) for record in records))
        outcomes = self.broker.publisher().publish(records)
        self.before_answer()
        return outcomes

    @property
    def sent(self):
        return self.broker.records(TOPIC)


@pytest.fixture(name="wire")
def _wire():
    return Wire()


@pytest.fixture(name="connection")
def _connection(database):
    with database.engine.begin() as connection:
        tables.create_v1(connection)
    with database.autocommit() as connection:
        yield connection


def fill(database, count, payload="{}", prefix="p"):
    with database.transaction() as session:
        same = {"topic": TOPIC, "aggregate_type": "parcel", "aggregate_version": 1, "shard": 0, "source": "/t"}
        same |= {"type": "parcels.Moved.v1", "payload": payload}
        rows = [same | {"event_id": uuid.uuid4(), "aggregate_id": f"{prefix}{number}"} for number in range(count)]
        session.execute(insert(tables.outbox), rows)


def waiting(database):
    with database.transaction() as session:
        return list(session.scalars(select(tables.outbox.c.aggregate_id)))


def test_a_round_is_bounded_by_bytes_and_deletes_what_it_sent_before_more_is_read(database, connection, wire):
    fill(database, 12, "x" * 900_000)
    relay, left = Relay(database, wire), 12

    while sent := relay.round(connection, EVERY_SHARD):
        left -= sent
        assert len(waiting(database)) == left

    assert left == 0
    assert len(wire.sent) == 12
    assert len(wire.sizes) > 1
    assert max(wire.sizes) <= BATCH_BYTES + LARGEST_PAYLOAD


def test_a_payload_that_no_broker_takes_is_never_read_and_holds_its_key_alone(database, connection, wire):
    fill(database, 1, "x" * (LARGEST_PAYLOAD + 1))
    with database.transaction() as session:
        session.execute(text("UPDATE outbox SET aggregate_id = 'large'"))
    fill(database, 3)

    assert Relay(database, wire).round(connection, EVERY_SHARD) == 3

    assert waiting(database) == ["large"]
    assert max(wire.sizes) < 100


def test_what_was_acknowledged_and_cannot_be_deleted_goes_first_and_is_not_sent_again(database, connection, wire):
    fill(database, 20)
    connection.execute(text("SET lock_timeout = '50ms'"))
    relay = Relay(database, wire)
    with database.engine.connect() as indexing:
        wire.before_answer = lambda: indexing.execute(text("LOCK TABLE outbox IN SHARE MODE"))
        for _ in range(3):
            with pytest.raises(DBAPIError):
                relay.round(connection, EVERY_SHARD)
        assert len(wire.sent) == len(waiting(database)) == 20
        indexing.rollback()
    wire.before_answer = lambda: None
    fill(database, 1, prefix="later")

    assert relay.round(connection, EVERY_SHARD) == 1

    assert waiting(database) == []
    assert len(wire.sent) == 21


@pytest.mark.parametrize("state", ["read-only", "locked"])
def test_nothing_is_sent_where_it_could_not_be_deleted(database, connection, wire, state):
    fill(database, 5)
    with database.engine.connect() as other:
        if state == "locked":
            other.execute(text("LOCK TABLE outbox IN SHARE MODE"))
        connection.execute(text("SET lock_timeout = '50ms'"))
        connection.execute(text(f"SET default_transaction_read_only = {'on' if state == 'read-only' else 'off'}"))
        with pytest.raises(psycopg.Error, match=r"read-only|lock timeout"):
            Relay(database, wire).round(connection, EVERY_SHARD)

    assert wire.sent == []


def test_an_outbox_that_cannot_be_measured_in_time_is_relayed_all_the_same(database, connection, wire, monkeypatch):
    fill(database, 2)
    monkeypatch.setattr(outbox_size, "_COUNT", "SELECT count(*) FROM pg_sleep(600)")
    driver = connection.connection.driver_connection

    Measuring(lambda: 1.0).measure(driver)

    assert Relay(database, wire).round(connection, EVERY_SHARD) == 2
    assert driver.execute("SHOW statement_timeout").fetchone() == ("15s",)


def test_a_large_outbox_is_estimated_and_a_small_one_is_counted(database, connection):
    driver = connection.connection.driver_connection
    fill(database, 7)
    Measuring(lambda: 1.0).measure(driver)
    assert REGISTRY.get_sample_value("outbox_pending") == 7
    fill_many = text(
        "INSERT INTO outbox (event_id, topic, aggregate_type, aggregate_id, aggregate_version, shard, type, source,"
        " payload) SELECT gen_random_uuid(), 't', 'a', n, 1, 0, 't', '/t', '{}' FROM generate_series(1, :count) AS n"
    )
    connection.execute(fill_many, {"count": COUNTED + 500})
    connection.execute(text("ANALYZE outbox"))

    Measuring(lambda: 1.0).measure(driver)

    assert REGISTRY.get_sample_value("outbox_pending") >= COUNTED
    assert REGISTRY.get_sample_value("outbox_oldest_age_seconds") > 0
