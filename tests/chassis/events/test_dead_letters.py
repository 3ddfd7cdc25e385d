"""Strict streams: a bad event parks its key, a replay brings everything back in order; by CLI, on real Kafka."""

import json
import random
import time
import uuid
from dataclasses import dataclass

import pytest
from click.testing import CliRunner
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select, text

from slipway_chassis.cli import cli
from slipway_chassis.errors import DependencyUnavailable, InvalidEvent, PublishFailed
from slipway_chassis.events import kafka as broker_adapter
from slipway_chassis.events import tables
from slipway_chassis.events.consumer import Consumer
from slipway_chassis.events.dead_letters import dead_letter_topic, retry_topic
from slipway_chassis.events.ports import Record
from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import wire_headers
from slipway_chassis.lifecycle import Stop
from slipway_chassis.testing.clock import Clock
from slipway_chassis.testing.plugin import eventually

pytestmark = [pytest.mark.integration, pytest.mark.core]
metadata = MetaData()
steps = Table("steps", metadata, Column("n", Integer, primary_key=True), Column("key", Text), Column("number", Integer))
TYPE = "parcels.ParcelMoved.v1"
GROUP = "movers"


@dataclass(frozen=True)
class ParcelMoved:
    number: int


class World:
    """A group with a strict source on real Kafka and PostgreSQL; ``broken`` are the numbers its handler can't take."""

    def __init__(self, database, settings, topic):
        self.database, self.settings, self.topic = database, settings, topic
        self.broken, self.refused = set(), set()
        names = [topic, retry_topic(topic, GROUP), dead_letter_topic(topic, GROUP)]
        broker_adapter.ensure_topics(settings, names)
        self.publisher = broker_adapter.publisher(settings, client_id="t")
        source = Source(topic, strict=True)

        @source.on(TYPE)
        def move(session, event: ParcelMoved, envelope) -> None:
            if (envelope.subject, event.number) in self.refused:
                raise InvalidEvent("never")
            if (envelope.subject, event.number) in self.broken:
                raise ValueError("a bug in the handler")
            session.execute(insert(steps).values(key=envelope.subject, number=event.number))

        self.subscription = broker_adapter.subscription(settings, group=GROUP, topics=names[:2], client_id="t")
        self.consumer = Consumer(
            GROUP, database=database, subscription=self.subscription, publisher=self.publisher, sources=[source],
            chance=random.Random(0),
        )  # fmt: skip

    def publish(self, key, *numbers, value=None):
        records = [
            Record(
                topic=self.topic,
                key=key.encode(),
                value=value or json.dumps({"number": number}).encode(),
                headers=wire_headers(
                    event_id=str(uuid.uuid4()), kind=TYPE, source="/t", subject=key,
                    time="2026-01-01T00:00:00+00:00", version=number, traceparent=None,
                ),
            )
            for number in numbers
        ]  # fmt: skip
        assert self.publisher.publish(records) == [None] * len(records)

    def consume_until(self, condition):
        """Rounds until the condition holds."""
        stop = Stop()
        eventually(lambda: self.consumer._round(stop) or condition(), every=0)

    def moved(self, key):
        with self.database.transaction() as session:
            return list(session.scalars(select(steps.c.number).where(steps.c.key == key).order_by(steps.c.n)))

    def parked(self):
        with self.database.transaction() as session:
            rows = session.execute(select(tables.parked_keys)).all()
            return {row.key.decode(): row.letters for row in rows if row.letters > row.settled}

    def slipway(self, *arguments):
        environment = {"KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers}
        done = CliRunner(env=environment).invoke(cli, ["dlq", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def letters(self, *options):
        return json.loads(self.slipway("ls", self.topic, GROUP, "--output", "json", *options))


@pytest.fixture(name="world")
def _world(database, kafka_settings, topic):
    with database.engine.begin() as connection:
        metadata.create_all(connection)
        tables.create_v1(connection)
        tables.create_v2(connection)
    world = World(database, kafka_settings, topic)
    yield world
    world.subscription.close()
    world.publisher.close()


def test_a_key_with_a_bad_event_is_parked_while_others_go_on_and_a_replay_brings_it_back(world):
    world.broken = {("a", 2)}
    world.publish("a", 1, 2, 3)
    world.publish("b", 1, 2, 3)
    world.consume_until(lambda: world.parked() == {"a": 2} and world.moved("b") == [1, 2, 3])
    world.publish("a", 4)
    world.consume_until(lambda: world.parked() == {"a": 3})

    assert world.moved("a") == [1]
    assert [(one["reason"], one["attempts"]) for one in world.letters("--key", "a")] == [
        ("failed", "5"), ("parked", "0"), ("parked", "0"),
    ]  # fmt: skip

    world.broken = set()
    assert "3 letters" in world.slipway("replay", world.topic, GROUP, "--dry-run")
    assert "3 letters were sent" in world.slipway("replay", world.topic, GROUP, "--rate", "1000")
    world.consume_until(lambda: world.parked() == {})
    world.publish("a", 5)
    world.consume_until(lambda: world.moved("a") == [1, 2, 3, 4, 5])

    world.slipway("replay", world.topic, GROUP, "--rate", "1000")  # once more does nothing
    world.publish("a", 6)
    world.consume_until(lambda: len(world.moved("a")) >= 6)
    assert world.moved("a") == [1, 2, 3, 4, 5, 6]
    assert world.moved("b") == [1, 2, 3]


def test_a_replay_that_fails_again_keeps_the_key_parked_and_the_order(world):
    world.broken = {("a", 1), ("a", 2)}
    world.publish("a", 1, 2, 3)
    world.consume_until(lambda: world.parked() == {"a": 3})

    world.broken = {("a", 2)}
    world.slipway("replay", world.topic, GROUP, "--rate", "1000")
    world.consume_until(lambda: world.moved("a") == [1] and world.parked() == {"a": 5})

    world.broken = set()
    world.slipway("replay", world.topic, GROUP, "--rate", "1000")
    world.consume_until(lambda: world.parked() == {})
    assert world.moved("a") == [1, 2, 3]


def test_a_key_that_was_released_may_be_parked_again(world):
    """Letters are numbered on, so that old ones, which stay listed, release nothing."""
    world.broken = {("a", 1)}
    world.publish("a", 1, 2, 3)
    world.consume_until(lambda: world.parked() == {"a": 3})
    world.broken = set()
    world.slipway("replay", world.topic, GROUP, "--rate", "1000")
    world.consume_until(lambda: world.parked() == {})

    world.broken = {("a", 4)}
    world.publish("a", 4, 5)
    world.consume_until(lambda: world.parked() == {"a": 5})
    world.broken = set()
    with world.database.transaction() as session:
        session.execute(text("TRUNCATE inbox"))  # as if it had forgotten what was applied
    world.slipway("replay", world.topic, GROUP, "--rate", "1000")
    world.consume_until(lambda: world.parked() == {})

    assert world.moved("a") == [1, 2, 3, 4, 5]


def test_an_event_its_handler_calls_invalid_parks_the_key_at_once(world):
    world.refused = {("a", 2)}
    world.publish("a", 1, 2, 3)
    world.publish("b", *range(1, 20))

    world.consume_until(lambda: world.parked() == {"a": 2} and len(world.moved("b")) == 19)

    assert world.moved("a") == [1]
    assert [one["reason"] for one in world.letters()] == ["invalid", "parked"]


def test_a_broker_that_is_away_for_a_moment_costs_no_letter_its_value(world):
    publish = world.publisher.publish
    answers = iter([[PublishFailed("no answer", retriable=True)]])

    class Hesitant:
        def publish(self, records):
            return next(answers, None) or publish(records)

    world.consumer._publisher = Hesitant()
    world.publish("a", 1, value=b"{")

    eventually(lambda: _tolerant_round(world) or world.letters(), every=0)

    shown = json.loads(world.slipway("show", world.topic, GROUP, world.letters()[0]["at"]))
    assert shown["value"] == "{"


def _tolerant_round(world):
    try:
        world.consumer._round(Stop())
    except DependencyUnavailable:
        world.consumer._start_over()


def test_an_undecodable_event_parks_its_key_too(world):
    world.publish("a", 1)
    world.publish("a", 2, value=b"\xff")
    world.publish("a", 3)

    world.consume_until(lambda: world.parked() == {"a": 2})

    assert world.moved("a") == [1]
    first = world.letters("--reason", "invalid")[0]
    shown = json.loads(world.slipway("show", world.topic, GROUP, first["at"]))
    assert shown["value_base64"] == "/w=="
    assert "ParcelMoved can't be read" in shown["exception"]


def test_one_in_a_hundred_poisoned_does_not_hold_up_the_healthy_keys(world):
    """Healthy keys are all applied before the first poisoned record has used up its tries."""
    world.broken = {(f"k{number}", 1) for number in range(0, 400, 100)}
    world.consumer._clock = Clock()  # stands still: no second try is due before the healthy ones are done
    for number in range(400):
        world.publish(f"k{number}", 1)

    def healthy_done():
        with world.database.transaction() as session:
            return len(session.scalars(select(steps.c.n)).all()) == 396

    world.consume_until(healthy_done)
    assert world.letters() == []
    assert len(world.consumer._deferrals) == 4

    world.consumer._clock = time.monotonic
    world.consume_until(lambda: len(world.parked()) == 4)
    assert {one["key"] for one in world.letters()} == {"k0", "k100", "k200", "k300"}


def test_queues_are_listed_and_purged(world):
    world.publish("a", 1, value=b"{")
    world.consume_until(world.parked)

    queues = json.loads(world.slipway("ls", "--output", "json"))
    assert {"topic": world.topic, "group": GROUP, "letters": 1} in queues

    assert "1 letters" in world.slipway("purge", world.topic, GROUP, "--yes")
    assert world.letters() == []
