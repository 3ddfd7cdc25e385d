"""Two versions of an event side by side: a consumer that knows one of them is served, and none is lost or doubled."""

from dataclasses import dataclass

import pytest

from slipway_chassis.errors import ConfigurationError, UnknownEventVersion
from slipway_chassis.events.dead_letters import Failure, dead_letter, retried
from slipway_chassis.events.ports import Record
from slipway_chassis.events.relay import OutboxRow, record_of
from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import Envelope, Stream

V1, V2, V3 = "t.Moved.v1", "t.Moved.v2", "t.Moved.v3"


@dataclass(frozen=True)
class Moved:
    number: int


BOTH = Stream(topic="t.t.v1", aggregate="t", source="/t", events={V1: Moved, V2: Moved}, side_by_side=["t.Moved"])


def reading(*kinds):
    source = Source("t.t.v1", strict=True)
    for kind in kinds:

        @source.on(kind)
        def moved(session, event: Moved) -> None: ...

    return source


def record(kind, stream=BOTH):
    row = OutboxRow(1, "0191b7f4-0000-7000-8000-000000000000", stream.topic, "k", 1, kind, stream.source, None,
                    '{"number":1}', "2026-01-01T00:00:00+00:00", 0.0)  # fmt: skip
    return record_of(row, stream.companions().get(kind, ""))


@pytest.mark.parametrize(
    ("known", "applied"), [((V1,), [V1]), ((V2,), [V2]), ((V1, V2), [V2]), ((V1, V2, V3), [V2])], ids=str
)
def test_of_two_versions_of_one_change_the_newest_known_one_is_applied(known, applied):
    source = reading(*known)

    envelopes = [Envelope.of(record(kind)) for kind in (V1, V2)]

    assert [one.type for one in envelopes if source.reaction_to(one.type, one.accompanies)] == applied


@pytest.mark.parametrize(("known", "alone"), [(V1, V2), (V2, V1)])
def test_a_version_that_comes_alone_is_not_lost(known, alone):
    with pytest.raises(UnknownEventVersion):
        reading(known).reaction_to(alone)
    with pytest.raises(UnknownEventVersion):
        reading(V3).reaction_to(V1, V2)


def test_a_consumer_may_name_what_it_passes_over():
    assert reading(V1).passes_over(V2).reaction_to(V2) is None
    with pytest.raises(ConfigurationError, match=r"t\.Moved\.v1 has a handler here"):
        reading(V1).passes_over(V1)


def test_what_stands_alone_can_not_be_declared_side_by_side():
    with pytest.raises(ConfigurationError, match="no two versions"):
        Stream(topic="t", aggregate="t", source="/t", events={V1: Moved}, side_by_side=["t.Moved"])


def test_a_dead_letter_and_its_replay_keep_the_headers():
    sent = record(V1)._replace(partition=1, offset=2)
    sent = sent._replace(headers=(*sent.headers, ("own", b"\x00"), ("empty", None)))

    letter = dead_letter(Failure(record=sent, reason="failed", error="", attempts=5), "g", sequence=0, now=_now())
    again = retried(letter, "g")

    assert again == Record(topic="t.t.v1.g.retry", key=sent.key, value=sent.value, headers=sent.headers)


def _now():
    return Envelope.of(record(V1)).time
