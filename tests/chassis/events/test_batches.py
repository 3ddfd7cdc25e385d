"""One transaction of a consumer beside slow handlers, other sessions and other members of its group."""

import random
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select, text

from slipway_chassis.errors import BrokerUnavailable, DependencyUnavailable
from slipway_chassis.events import tables
from slipway_chassis.events.batch import LONGEST_SECONDS, SHORTEST_SECONDS
from slipway_chassis.events.consumer import Consumer
from slipway_chassis.events.dead_letters import dead_letter_topic
from slipway_chassis.events.ports import Record
from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import Envelope, encode
from slipway_chassis.lifecycle import Stop
from slipway_chassis.testing.clock import Clock
from slipway_chassis.testing.plugin import eventually

pytestmark = [pytest.mark.integration, pytest.mark.core]
metadata = MetaData()
arrivals = Table("arrivals", metadata, Column("n", Integer, primary_key=True), Column("note", Text))
TYPE = "parcels.ParcelMoved.v1"


@dataclass(frozen=True, kw_only=True)
class ParcelMoved:
    note: str


def record(note, key=None):
    envelope = Envelope(
        id=uuid.uuid4(), type=TYPE, source="/t", subject="k", time=datetime(2026, 1, 1, tzinfo=UTC), version=1
    )
    return Record(
        topic="in", key=(key or note).encode(), value=encode(ParcelMoved(note=note)), headers=envelope.headers()
    )


class World:
    """A group with one handler, which notes what arrives; ``before`` runs in front of it, ``calls`` are its notes."""

    def __init__(self, database, broker):
        self.database, self.broker, self.clock, self.calls = database, broker, Clock(), []
        self.before = lambda *_: None
        source = Source("in")

        @source.on(TYPE)
        def arrive(session, event: ParcelMoved, envelope) -> None:
            self.calls.append(event.note)
            self.before(session, event, envelope)
            session.execute(insert(arrivals).values(note=event.note))

        self.subscription = broker.subscription(group="group", topics=["in", "in.group.retry"])
        self.consumer = Consumer(
            "group", database=database, subscription=self.subscription, publisher=broker.publisher(),
            sources=[source], chance=random.Random(0), clock=self.clock,
        )  # fmt: skip

    def publish(self, *notes, key=None):
        self.broker.publisher().publish([record(note, key) for note in notes])

    def rounds(self, count=1, seconds=10.0):
        """So many rounds, and so much time between them."""
        for _ in range(count):
            self.consumer._round(Stop())
            self.clock.advance(seconds)

    def arrived(self):
        with self.database.transaction() as session:
            return list(session.scalars(select(arrivals.c.note).order_by(arrivals.c.n)))

    def committed(self):
        return sum(self.broker.committed.values())

    def letters(self):
        return [letter.header("dlq_reason") for letter in self.broker.records(dead_letter_topic("in", "group"))]


@pytest.fixture(name="world")
def _world(database, broker):
    with database.engine.begin() as connection:
        metadata.create_all(connection)
        tables.create_v1(connection)
        tables.create_v2(connection)
    return World(database, broker)


NUMBERS = [str(number) for number in range(10)]


def test_a_batch_ends_after_a_second_of_its_handlers_and_commits_with_its_offsets(world):
    world.before = lambda *_: world.clock.advance(0.35)
    world.publish(*NUMBERS, key="k")

    world.rounds()
    assert world.arrived() == NUMBERS[:3]
    assert world.committed() == 3

    world.rounds(4)
    assert world.arrived() == world.calls == NUMBERS
    assert world.committed() == 10


def test_a_batch_is_one_line_and_each_event_one_at_debug(world, caplog):
    caplog.set_level("DEBUG", "slipway_chassis.events.batch")
    published = record("a", "k")
    world.broker.publisher().publish([published, published, record("b", "k")])

    world.rounds()

    summary, *each = caplog.records
    assert summary.getMessage() == "2 events were applied, 1 known before"
    places = [line.getMessage().removeprefix(f"applied {TYPE} of k from in:") for line in each]
    assert [place.split(":")[1] for place in places] == ["0", "2"]
    assert each[0].__dict__["event.id"] == published.header("ce_id")


def test_a_stop_is_heard_between_two_events_and_what_was_applied_is_committed(world):
    stop = Stop()
    world.before = lambda _session, event, _envelope: stop.request() if event.note == "2" else None
    world.publish(*NUMBERS, key="k")

    world.consumer.run(stop)
    assert world.arrived() == NUMBERS[:3]
    assert world.committed() == 3

    world.rounds(2)
    assert world.arrived() == world.calls == NUMBERS


def test_batches_become_shorter_while_others_wait_for_their_locks(world, database):
    with database.transaction() as session:
        session.execute(insert(arrivals).values(n=1_000, note="shared"))
    change = text("UPDATE arrivals SET note = note WHERE n = 1000")
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    def request():
        with database.transaction() as session:
            session.execute(change)

    requests = [threading.Thread(target=request)]

    def before(session, _event, _envelope):
        session.execute(change)
        requests[0].start()
        eventually(lambda: session.execute(waits).scalar_one())
        world.clock.advance(SHORTEST_SECONDS)

    world.before = before
    world.publish("a")
    world.rounds()
    requests[0].join(30)
    assert world.consumer._batches._seconds < LONGEST_SECONDS

    world.before = lambda *_: None
    for note in "bcdef":
        world.publish(note)
        world.rounds()
    assert world.consumer._batches._seconds == LONGEST_SECONDS


def test_an_event_that_always_runs_into_a_timeout_holds_its_key_alone_and_becomes_a_letter(world):
    def before(session, event, _envelope):
        if event.note == "bad":
            session.execute(text("SET LOCAL statement_timeout = '20ms'"))
            session.execute(text("SELECT pg_sleep(20)"))

    world.before = before
    world.publish("bad", "behind", key="bad")
    world.publish("a", "b", "c", "d")

    world.rounds()
    assert sorted(world.arrived()) == ["a", "b", "c", "d"]
    assert world.letters() == []

    world.rounds(8)
    assert world.letters() == ["failed"]
    assert world.arrived()[-1] == "behind"
    assert world.committed() == 6


@pytest.mark.parametrize("ending", [SystemExit(1), GeneratorExit(), MemoryError()])
def test_a_handler_may_raise_whatever_it_likes(world, ending):
    def before(_session, event, _envelope):
        if event.note == "bad":
            raise ending

    world.before = before
    world.publish("bad", "good")

    world.rounds(6)

    assert world.letters() == ["failed"]
    assert world.arrived() == ["good"]


def test_a_database_that_takes_no_writes_is_waited_for_and_makes_no_letter(world, database):
    def write_protection(setting):
        with database.autocommit() as connection:
            connection.execute(text("SET default_transaction_read_only = off"))
            name = connection.execute(text("SELECT current_database()")).scalar_one()
            connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {setting}'))
        database.engine.dispose()

    world.publish("a", "b")
    write_protection("on")
    for _ in range(8):
        with pytest.raises(DependencyUnavailable):
            world.rounds()
        world.consumer._start_over()
        world.clock.advance(10)
    write_protection("off")

    world.rounds(2)

    assert sorted(world.arrived()) == ["a", "b"]
    assert world.letters() == []


def test_what_another_member_applied_meanwhile_leaves_no_second_effect(world, database):
    def before(_session, event, envelope):
        if event.note == "b" and world.calls.count("b") == 1:
            with database.transaction() as other:
                other.execute(insert(tables.inbox).values(consumer_group="group", event_id=envelope.id))

    world.before = before
    world.publish("a", "b", "c", key="k")

    world.rounds(2)

    assert world.arrived() == ["a", "c"]
    assert world.committed() == 3


def test_only_what_was_applied_is_remembered(world, database):
    world.before = lambda *_: world.clock.advance(0.6)
    world.publish(*NUMBERS, key="k")

    world.rounds()

    with database.transaction() as session:
        assert len(session.scalars(select(tables.inbox.c.event_id)).all()) == len(world.arrived()) == 2


def test_measuring_and_forgetting_never_stop_the_work(world, database):
    def unknown():
        raise BrokerUnavailable("nobody answers")

    world.subscription.lag = unknown
    world.consumer._retention = unknown
    world.publish(*NUMBERS, key="k")

    world.rounds(2)

    assert world.arrived() == NUMBERS
    assert world.committed() == 10
