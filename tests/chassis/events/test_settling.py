"""Whatever fails, and however little a round gets done: each event is applied once and its key stays in order. No
database: the transactions are a fake that fails and ends early as chance has it.
"""

import random
import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_chassis.errors import UpstreamUnavailable
from slipway_chassis.events.batch import ApplyFailed
from slipway_chassis.events.consumer import Consumer
from slipway_chassis.events.dead_letters import dead_letter_topic
from slipway_chassis.events.ports import Record
from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import Envelope, encode
from slipway_chassis.lifecycle import Stop
from slipway_chassis.testing.broker import MemoryBroker
from slipway_chassis.testing.clock import Clock

TYPE = "parcels.ParcelMoved.v1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class ParcelMoved:
    number: int


class FakeBatches:
    """Applies some of what it is given, or fails as the events' ``failures`` say, with or without telling whose fault
    it is.
    """

    def __init__(self, failures, chance):
        self.failures, self.chance = failures, chance
        self.applied = []

    def apply(self, works, stop):
        works = works[: self.chance.randint(1, len(works))]
        for position, work in enumerate(works):
            if error := next(self.failures[work.event.number], None):
                raise ApplyFailed(self.chance.choice([position, None]), error)
        self.applied += [work.event.number for work in works]
        return len(works)

    def require_writable(self):
        """It always is."""


def _record(number, key, value=None):
    envelope = Envelope(id=uuid.UUID(int=number), type=TYPE, source="/t", subject="k", time=NOW, version=1)
    value = encode(ParcelMoved(number=number)) if value is None else value
    return Record(topic="in", key=key, value=value, headers=envelope.headers())


KINDS = ["good"] * 6 + ["once", "away", "always", "unreadable"]


@settings(max_examples=60, deadline=None)
@given(events=st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from(KINDS)), max_size=25),
       seed=st.integers(0, 999))  # fmt: skip
def test_every_event_is_settled_once_and_in_the_order_of_its_key(events, seed):
    chance, clock, broker = random.Random(seed), Clock(), MemoryBroker()
    failing = {
        "once": [ValueError("once")],
        "away": [UpstreamUnavailable("away")] * 2,
        "always": [ValueError("x")] * 99,
    }
    batches = FakeBatches([iter(failing.get(kind, [])) for _, kind in events], chance)
    consumer = _consumer(broker, batches, clock, chance)
    broker.publisher().publish(
        [_record(number, key, b"{" if kind == "unreadable" else None) for number, (key, kind) in enumerate(events)]
    )

    for _ in range(600):
        consumer._round(Stop())
        clock.advance(chance.choice([0.0, 0.4, 6.0]))
        if sum(broker.committed.values()) == len(events):
            break

    assert sum(broker.committed.values()) == len(events)
    expected, order = defaultdict(list), defaultdict(list)
    for number, (key, kind) in enumerate(events):
        if kind not in {"always", "unreadable"}:
            expected[key].append(number)
    for number in batches.applied:
        order[events[number][0]].append(number)
    assert order == expected
    letters = sorted(record.header("ce_id") for record in broker.records(dead_letter_topic("in", "group")))
    bad = [number for number, (_, kind) in enumerate(events) if kind in {"always", "unreadable"}]
    assert letters == sorted(str(uuid.UUID(int=number)) for number in bad)


def _consumer(broker, batches, clock, chance):
    source = Source("in")

    @source.on(TYPE)
    def moved(session, event: ParcelMoved) -> None: ...

    subscription = broker.subscription(group="group", topics=["in", "in.group.retry"])
    consumer = Consumer(
        "group", database=None, subscription=subscription, publisher=broker.publisher(), sources=[source],
        chance=chance, clock=clock,
    )  # fmt: skip
    consumer._batches = batches
    consumer._upkeep_at = consumer._forget_at = float("inf")
    return consumer


def test_an_upstream_that_is_away_for_all_makes_no_dead_letter():
    """None passes: then it is no event's own fault, however long it lasts."""
    broker, clock = MemoryBroker(), Clock()

    def away():
        while clock() < 1_000:
            yield UpstreamUnavailable("away")

    batches = FakeBatches([away() for _ in range(5)], random.Random(0))
    consumer = _consumer(broker, batches, clock, random.Random(0))
    broker.publisher().publish([_record(number, b"k%d" % number) for number in range(5)])

    for _ in range(200):
        consumer._round(Stop())
        clock.advance(10)

    assert sorted(batches.applied) == [0, 1, 2, 3, 4]
    assert not broker.records(dead_letter_topic("in", "group"))


def test_an_upstream_that_refuses_one_event_alone_holds_up_its_key_alone():
    broker, clock = MemoryBroker(), Clock()
    batches = FakeBatches([iter([UpstreamUnavailable("away")] * 999), *([iter([])] * 19)], random.Random(0))
    consumer = _consumer(broker, batches, clock, random.Random(0))
    broker.publisher().publish([_record(0, b"bad"), _record(1, b"good")])
    for _ in range(30):
        consumer._round(Stop())
        clock.advance(10)
    assert batches.applied == [1]
    assert not broker.records(dead_letter_topic("in", "group")), "nobody else has passed since"

    broker.publisher().publish([_record(2, b"bad")])
    for number in range(3, 20):
        broker.publisher().publish([_record(number, b"good")])
        consumer._round(Stop())
        clock.advance(10)

    assert sorted(batches.applied) == list(range(1, 20))
    [letter] = broker.records(dead_letter_topic("in", "group"))
    assert letter.header("dlq_exception") == "UpstreamUnavailable: away"


def test_what_waits_is_bounded_by_bytes_and_the_member_stays_in_its_group():
    broker, clock, limits = MemoryBroker(), Clock(), []
    batches = FakeBatches([iter([ValueError("x")] * 99), *([iter([])] * 29)], random.Random(0))
    consumer = _consumer(broker, batches, clock, random.Random(0))
    poll = consumer._subscription.poll
    consumer._subscription.poll = lambda **asked: limits.append(asked["limit"]) or poll(**asked)
    large = [record._replace(value=record.value + b" " * 900_000) for record in (_record(n, b"k") for n in range(30))]
    broker.publisher().publish(large)

    consumer._round(Stop())
    consumer._round(Stop())
    assert limits == [1000, 0]

    for _ in range(60):
        clock.advance(5)
        consumer._round(Stop())
    assert batches.applied == list(range(1, 30))
