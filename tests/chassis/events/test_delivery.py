"""Outbox, relay, inbox and consumer on real PostgreSQL and Kafka, in one process."""

import json
import random
import string
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from kafka import KafkaAdminClient
from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid, delete, insert, select, text
from sqlalchemy.orm import registry
from sqlalchemy.orm.exc import StaleDataError

from slipway_chassis.errors import DatabaseUnavailable, PublishFailed
from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events import tables
from slipway_chassis.events.consumer import Consumer
from slipway_chassis.events.dead_letters import dead_letter_topic
from slipway_chassis.events.outbox import SHARDS, write_events_of
from slipway_chassis.events.ports import Record
from slipway_chassis.events.relay import Relay
from slipway_chassis.events.shards import Shards
from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import Envelope, Stream, encode
from slipway_chassis.lifecycle import Stop
from slipway_chassis.testing.broker import MemoryBroker
from slipway_chassis.testing.plugin import eventually

pytestmark = [pytest.mark.integration, pytest.mark.core]
metadata = MetaData()
parcels = Table("parcels", metadata, Column("id", Uuid, primary_key=True), Column("version", Integer))
arrivals = Table("arrivals", metadata, Column("n", Integer, primary_key=True, autoincrement=True), Column("note", Text))


@dataclass(frozen=True, kw_only=True)
class ParcelMoved:
    note: str


@dataclass(kw_only=True, eq=False)
class Parcel:
    id: uuid.UUID
    version: int = 0
    events: list = field(default_factory=list)

    def move(self, note):
        self.version += 1
        self.events.append(ParcelMoved(note=note))


NOW = datetime(2026, 1, 1, tzinfo=UTC)
TYPE = "parcels.ParcelMoved.v1"
STREAM = Stream(topic="parcels.parcel.v1", aggregate="parcel", source="/parcels", events={TYPE: ParcelMoved})
registry(metadata=metadata).map_imperatively(
    Parcel, parcels, version_id_col=parcels.c.version, version_id_generator=False
)
write_events_of({Parcel: STREAM})


@pytest.fixture(autouse=True)
def _schema(database):
    with database.engine.begin() as connection:
        metadata.create_all(connection)
        tables.create_v1(connection)
        tables.create_v2(connection)


def move(database, parcel_id, *notes):
    with database.transaction() as session:
        parcel = session.get(Parcel, parcel_id) or Parcel(id=parcel_id)
        session.add(parcel)
        for note in notes:
            parcel.move(note)


def waiting(database):
    with database.transaction() as session:
        return session.execute(select(tables.outbox).order_by(tables.outbox.c.seq)).all()


def arrived(database):
    with database.transaction() as session:
        return list(session.scalars(select(arrivals.c.note).order_by(arrivals.c.n)))


def record(note, *, topic="in", key=b"k", event_id=None, type_=TYPE, value=None):
    envelope = Envelope(
        id=event_id or uuid.uuid4(), type=type_, source="/t", subject="k", time=NOW, version=1, traceparent=None
    )
    value = encode(ParcelMoved(note=note)) if value is None else value
    return Record(topic=topic, key=key, value=value, headers=envelope.headers())


class InThread:
    """Runs something with a Stop in a thread, as its process would."""

    def __init__(self, run):
        self.stop = Stop()
        self._thread = threading.Thread(target=run, args=(self.stop,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop.request()
        self._thread.join(30)
        assert not self._thread.is_alive()


class TestOutbox:
    def test_events_of_a_loaded_aggregate_are_written_with_their_versions(self, database):
        parcel_id = uuid.uuid4()
        move(database, parcel_id, "packed")
        move(database, parcel_id, "sent", "arrived")

        assert [(row.aggregate_version, row.payload) for row in waiting(database)] == [
            (1, '{"note":"packed"}'),
            (2, '{"note":"sent"}'),
            (3, '{"note":"arrived"}'),
        ]

    def test_a_rolled_back_transaction_leaves_no_event(self, database):
        with pytest.raises(ZeroDivisionError), database.transaction() as session:
            session.add(parcel := Parcel(id=uuid.uuid4()))
            parcel.move("packed")
            session.flush()
            raise ZeroDivisionError

        assert waiting(database) == []

    def test_two_transactions_cannot_claim_one_version(self, database):
        parcel_id = uuid.uuid4()
        move(database, parcel_id, "packed")
        with pytest.raises(StaleDataError), database.transaction() as late:
            read_early = late.get(Parcel, parcel_id)
            move(database, parcel_id, "sent")
            with database.transaction() as relay:  # sent already: the outbox remembers nothing of it
                relay.execute(delete(tables.outbox))
            read_early.move("lost")

        assert waiting(database) == []


class TestRelay:
    def test_every_event_reaches_kafka_once_and_in_order_per_key(self, database, kafka_settings):
        kafka_adapter.ensure_topics(kafka_settings, [STREAM.topic])
        ids = [uuid.uuid4() for _ in range(20)]
        for number in range(10):
            for parcel_id in ids:
                move(database, parcel_id, str(number))
        publisher = kafka_adapter.publisher(kafka_settings, client_id="relay")

        with InThread(Relay(database, publisher).run):
            eventually(lambda: not waiting(database))
        publisher.close()

        subscription = kafka_adapter.subscription(
            kafka_settings, group=f"g{uuid.uuid4()}", topics=[STREAM.topic], client_id="t"
        )
        received = []
        eventually(lambda: received.extend(subscription.poll(timeout=0.5, limit=500)) or len(received) >= 200)
        subscription.close()
        for parcel_id in ids:
            notes = [r.value for r in received if r.key == str(parcel_id).encode()]
            assert notes == [f'{{"note":"{n}"}}'.encode() for n in range(10)]

    def test_a_refused_event_holds_its_key_alone(self, database):
        broker, refused, other = MemoryBroker(), uuid.uuid4(), uuid.uuid4()
        move(database, refused, "x" * 1_100_000)
        move(database, refused, "behind it")
        move(database, other, "goes on")

        with InThread(Relay(database, broker.publisher()).run):
            eventually(lambda: len(waiting(database)) == 2)

        assert {str(row.aggregate_id) for row in waiting(database)} == {str(refused)}
        assert [r.value for r in broker.records(STREAM.topic)] == [b'{"note":"goes on"}']

    def test_a_refusal_by_the_broker_holds_its_key_alone_too(self, database, kafka_settings):
        """The topic takes 10 kB; a refusal ends kafka-python's idempotent producer, and relaying goes on."""
        kafka_adapter.ensure_topics(kafka_settings, [STREAM.topic])
        admin = KafkaAdminClient(bootstrap_servers=kafka_settings.kafka_bootstrap_servers)
        small = f"small.{uuid.uuid4().hex}"
        admin.create_topics(
            {small: {"num_partitions": 1, "configs": {"max.message.bytes": "10000"}}}, wait_for_metadata=True
        )
        admin.close()
        # Random text: what gzip can't make small.
        payload = json.dumps({"note": "".join(random.choices(string.printable[:90], k=60_000))})
        refused = {"event_id": uuid.uuid4(), "topic": small, "aggregate_type": "parcel", "aggregate_id": "refused"}
        refused |= {"aggregate_version": 1, "shard": 0, "type": TYPE, "source": "/t", "payload": payload}
        with database.transaction() as session:
            session.execute(insert(tables.outbox), [refused])
        publisher = kafka_adapter.publisher(kafka_settings, client_id="relay")

        with InThread(Relay(database, publisher).run):
            for _ in range(3):
                move(database, uuid.uuid4(), "goes on")
                eventually(lambda: len(waiting(database)) == 1)

        publisher.close()
        assert [row.aggregate_id for row in waiting(database)] == ["refused"]

    def test_two_relays_share_the_shards_and_one_takes_over(self, database):
        with database.engine.connect() as one, database.engine.connect() as two:
            first = Shards(one.execution_options(isolation_level="AUTOCOMMIT"))
            first.rebalance()
            assert len(first.owned) == SHARDS

            second = Shards(two.execution_options(isolation_level="AUTOCOMMIT"))
            first.rebalance()
            second.rebalance()
            assert len(first.owned) == len(second.owned) == SHARDS // 2
            assert not first.owned & second.owned

            one.invalidate()  # the first relay dies: its session ends
            eventually(lambda: second.rebalance() or len(second.owned) == SHARDS)

    def test_a_lost_database_connection_is_survived(self, database):
        broker = MemoryBroker()
        with InThread(Relay(database, broker.publisher()).run):
            move(database, uuid.uuid4(), "before")
            eventually(lambda: not waiting(database))
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            move(database, uuid.uuid4(), "after")
            eventually(lambda: not waiting(database))

        assert len(broker.records(STREAM.topic)) == 2


def arrive(session, event: ParcelMoved):
    if event.note == "poison":
        raise ValueError("a bug in the handler")
    session.execute(insert(arrivals).values(note=event.note))


@pytest.fixture(name="consumer")
def _consumer(database, broker):
    def build(handler=arrive, publisher=None, *, strict=False):
        source = Source("in", strict=strict)
        source.on(TYPE)(handler)
        return Consumer(
            "group",
            database=database,
            subscription=broker.subscription(group="group", topics=["in", "in.group.retry"]),
            publisher=publisher or broker.publisher(),
            sources=[source],
            chance=random.Random(0),
        )

    return build


class TestConsumer:
    def test_an_event_that_comes_twice_is_applied_once(self, database, broker, consumer):
        twice = record("once", event_id=uuid.uuid4())
        broker.publisher().publish([twice, record("other"), twice])
        broker.publisher().publish([twice])

        with InThread(consumer().run):
            eventually(lambda: len(arrived(database)) == 2)
        broker.committed.clear()  # a replay of the whole topic
        with InThread(consumer().run):
            eventually(lambda: sum(broker.committed.values()) == 4)

        assert sorted(arrived(database)) == ["once", "other"]

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (record("", value=b"{"), "invalid"),
            (record("", value=b"\xff\xfe"), "invalid"),
            (record("", value=b'{"note": 7}'), "invalid"),
            (Record(topic="in", key=b"k", value=b"{}"), "invalid"),
            (Record(topic="in", key=None, value=None), "invalid"),
            (record("", type_="parcels.ParcelMoved.v9"), "unknown_version"),
            (record("poison"), "failed"),
        ],
    )
    def test_a_poisonous_record_becomes_a_dead_letter_and_the_others_go_on(
        self, database, broker, consumer, bad, reason
    ):
        broker.publisher().publish([record("before"), bad, record("after")])

        with InThread(consumer().run):
            eventually(lambda: sorted(arrived(database)) == ["after", "before"])
            [letter] = eventually(lambda: broker.records(dead_letter_topic("in", "group")))

        assert letter.value == bad.value
        assert letter.header("dlq_reason") == reason
        assert letter.header("dlq_topic") == "in"
        assert letter.header("dlq_attempts") == ("5" if reason == "failed" else "1")

    def test_the_inbox_forgets_what_is_old_and_nothing_else(self, database, broker, consumer):
        broker.publisher().publish([record("new")])
        old = text("INSERT INTO inbox VALUES (:group, gen_random_uuid(), now() - interval '9 days')")
        with database.transaction() as session:
            session.execute(old, [{"group": "group"}, {"group": "group"}, {"group": "another"}])

        def remembered():
            with database.transaction() as session:
                return sorted(session.scalars(select(tables.inbox.c.consumer_group)))

        with InThread(consumer().run):
            eventually(lambda: arrived(database) == ["new"])
            eventually(lambda: remembered() == ["another", "group"])

    def test_types_nobody_asked_for_are_passed_over(self, database, broker, consumer):
        broker.publisher().publish([record("x", type_="parcels.ParcelLost.v1"), record("mine")])

        with InThread(consumer().run):
            eventually(lambda: arrived(database) == ["mine"])
        assert not broker.records(dead_letter_topic("in", "group"))

    def test_an_absent_database_is_waited_for_and_makes_no_dead_letter(self, database, broker, consumer):
        failures = iter([DatabaseUnavailable("away")] * 3)

        def handler(session, event: ParcelMoved):
            for failure in failures:
                raise failure
            arrive(session, event)

        broker.publisher().publish([record("patient")])

        with InThread(consumer(handler).run):
            eventually(lambda: arrived(database) == ["patient"])
        assert not broker.records(dead_letter_topic("in", "group"))

    def test_a_record_is_not_passed_over_when_its_dead_letter_is_refused(self, broker, consumer):
        class Refusing:
            def publish(self, records):
                return [PublishFailed("away", retriable=True) for _ in records]

        broker.publisher().publish([record("", value=b"{")])

        with InThread(consumer(publisher=Refusing()).run) as running:
            running.stop.wait(1.0)

        assert not broker.committed
