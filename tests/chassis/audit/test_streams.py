"""What events of a topic say, and tables beside them."""

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_chassis.audit import comparing, looking
from slipway_chassis.audit.declared import Aggregate, Projection
from slipway_chassis.audit.streams import MOST_FINDINGS, Findings, Stream
from slipway_chassis.events.ports import Record
from slipway_chassis.events.stream import Envelope

ORDERS = Aggregate(service="orders", topic="t", table="orders")
LISTED = Projection(service="users", topic="t", table="listed")
NAMES = uuid.UUID(int=0)


def event(key, version, *, partition=0, offset=0, kind="Placed", again=""):
    envelope = Envelope(
        id=uuid.uuid5(NAMES, f"{key}/{version}{again}"), type=kind, source="/t", subject=key,
        time=datetime(2026, 1, 1, tzinfo=UTC), version=version,
    )  # fmt: skip
    return Record("t", key.encode(), b"{}", envelope.headers(), partition, offset)


def read(*records):
    stream = Stream("t")
    return stream, [(finding.subject, finding.what) for finding in stream.read(records).kept]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.data())
def test_events_in_their_order_are_no_finding_however_often_they_are_sent(keys, data):
    counts, sent = {}, []
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
        sent.append(event(key, counts[key]))
        if data.draw(st.booleans()):
            sent.append(data.draw(st.sampled_from(sent)))
    stream, findings = read(*sent)
    assert findings == []
    assert {key: stream.latest(key) for key in counts} == counts
    assert stream.sent_again == len(sent) - len(keys)


@given(st.permutations([1, 2, 3, 4]))
def test_any_other_order_is_one(versions):
    _, findings = read(*(event("a", version) for version in versions))
    assert bool(findings) == (list(versions) != [1, 2, 3, 4])


@given(st.sets(st.integers(1, 6), min_size=1), st.booleans())
def test_a_missing_version_is_one_unless_retention_took_it(versions, complete):
    records = [event("a", version, offset=0 if complete else 7) for version in sorted(versions)]
    _, findings = read(*records)
    first = 1 if complete else min(versions)
    assert bool(findings) == (len(versions) != max(versions) - first + 1)


@pytest.mark.parametrize(
    ("records", "subject", "what"),
    [
        ([event("a", 1), event("a", 1, again="!")], "a", "version 1 was published twice"),
        ([event("a", 1), event("a", 2, partition=1)], "a", "has events in the partitions 0 and 1"),
        ([Record("t", b"a", b"{}", (), 3, 9)], "3:9", "is no event"),
        ([Record("t", None, None, (("ce_id", b"\xff"),), 3, 9)], "3:9", "is no event"),
    ],
)
def test_what_is_wrong_with_a_stream_is_named(records, subject, what):
    _, [(of, said)] = read(*records)
    assert of == subject
    assert said.startswith(what)


def test_findings_have_a_bound_and_are_counted_beyond_it():
    found = Stream("t").read(event(str(number), 2) for number in range(MOST_FINDINGS + 5))
    assert (found.count, len(found.kept)) == (MOST_FINDINGS + 5, MOST_FINDINGS)


@pytest.mark.parametrize(
    ("rows", "unsent", "expected"),
    [
        ([("a", 2), ("b", 1)], {}, []),
        ([("a", 3), ("b", 1)], {"a": 3}, []),
        ([("a", 3), ("b", 1)], {}, ["a version 3 was never sent: 2 was"]),
        ([("a", 2), ("b", 1), ("c", 1)], {}, ["c version 1 was never sent: none was"]),
        ([("a", 1), ("b", 1)], {}, ["a others know version 2, the database 1: it went back"]),
        ([("a", 2)], {}, ["b others know version 1, the database has no such row"]),
    ],
)
def test_rows_are_what_was_published(rows, unsent, expected):
    stream, _ = read(event("a", 1), event("a", 2), event("b", 1))
    count, found = comparing.aggregates("orders", ORDERS, rows, stream, unsent)
    assert [f"{each.subject} {each.what}" for each in found.kept] == expected
    assert count == len(rows)


def test_what_retention_deleted_is_no_finding():
    stream, _ = read(event("a", 5, offset=100))
    assert comparing.aggregates("orders", ORDERS, [("a", 5), ("old", 3)], stream, {})[1].count == 0
    assert comparing.projections("listed", LISTED, [("a", 5), ("old", 3)], stream)[1].count == 0


@pytest.mark.parametrize(
    ("rows", "types", "expected"),
    [
        ([("a", 2), ("b", 1)], (), []),
        ([("a", 1), ("b", 1)], (), ["a has version 1, and 2 was published: not applied"]),
        ([("a", 1), ("b", 1)], ("Placed",), []),
        ([("a", 2)], (), ["b version 1 was published, and there is no row: not applied"]),
        ([("a", 2), ("b", 1), ("c", 4)], (), ["c has version 4, and nothing was published"]),
        ([], ("Other",), []),
    ],
)
def test_projections_follow_their_events(rows, types, expected):
    stream, _ = read(event("a", 1), event("a", 2, kind="Paid"), event("b", 1))
    _, found = comparing.projections("listed", LISTED.model_copy(update={"types": types}), rows, stream)
    assert [f"{each.subject} {each.what}" for each in found.kept] == expected


def test_rows_may_be_deleted_where_that_is_declared():
    stream, _ = read(event("a", 1))
    deleted = ORDERS.model_copy(update={"rows_are_deleted": True})
    assert comparing.aggregates("orders", deleted, [], stream, {})[1].count == 0


# --- two looks
def lags(published, row, *, name="a"):
    stream, _ = read(*(event(name, version) for version in range(1, published + 1)))
    _, found = comparing.projections("listed", LISTED, [(name, row)], stream)
    return [looking.Checked("listed", 1, found)]


@pytest.mark.parametrize(
    ("before", "after", "stays"),
    [
        ((3, 2), (3, 2), True),
        ((10, 3), (12, 3), True),  # it stands still while events come
        ((10, 3), (12, 9), True),  # it moves, and is still behind what was there before
        ((10, 9), (12, 11), False),  # as a busy aggregate always is
        ((10, 9), (10, 10), False),
    ],
)
def test_what_lags_is_told_from_what_is_on_its_way(before, after, stays):
    found = looking.all_findings(looking.settled(lags(*before), lags(*after)))
    assert bool(found) == stays


@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_whoever_reached_what_was_wanted_is_no_finding(wanted, behind, more, done):
    """A property over all paces: it is found if it has not done by the second look what it lacked in the first."""
    row = max(wanted - behind, 0)
    later = min(row + done, wanted + more)
    found = looking.all_findings(looking.settled(lags(wanted, row), lags(wanted + more, later)))
    assert bool(found) == (later < wanted)


def checked(*rows, name="stock"):
    findings = Findings(name)
    for subject, what in rows:
        findings.add(subject, what, wanted=1)
    return [looking.Checked(name, findings.count, findings)]


def test_a_row_that_tells_its_age_is_the_same_row():
    settled = looking.settled(checked(("sku=tea", "age=5")), checked(("sku=tea", "age=6"), ("sku=mug", "age=0")))
    assert [(each.subject, each.what) for each in looking.all_findings(settled)] == [("sku=tea", "age=6")]


def test_more_rows_than_are_kept_are_told():
    """Two looks may bring others of them, in any order."""
    many = [(f"sku={number}", "") for number in range(2 * MOST_FINDINGS + 2)]
    [found] = looking.settled(checked(*many[: MOST_FINDINGS + 1]), checked(*many[MOST_FINDINGS + 1 :]))
    assert found.findings.count == MOST_FINDINGS + 1
