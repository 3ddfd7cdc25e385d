"""Where a group goes on after a restore, and which aggregates are in the gap."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from slipway_chassis.events.gap import newest, unknown
from slipway_chassis.events.kafka import Committed
from slipway_chassis.events.ports import Record
from slipway_chassis.events.stream import wire_headers
from slipway_operator.backup.creating import by_topic
from slipway_operator.backup.manifest import GroupOffsets
from slipway_operator.backup.restoring import offsets_back

partitions = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 3))
ids = {"a": "id-a", "b": "id-b", "c": "id-c"}
offsets = st.dictionaries(partitions, st.integers(0, 50))
NOW = datetime(2026, 11, 29, 14, 0, tzinfo=UTC)


def committed(found):
    return {where: Committed(offset, ids[where[0]]) for where, offset in found.items()}


def kept(found):
    return GroupOffsets(group="g", topics=by_topic(committed(found)))


@given(offsets, offsets)
def test_no_partition_goes_on_behind_what_the_database_has(then, later):
    now = {**then, **{where: then.get(where, 0) + more for where, more in later.items()}}
    back = offsets_back(kept(then), committed(now), ids)

    assert set(back) == set(now)
    for where, one in back.items():
        assert one == Committed(then.get(where, 0), ids[where[0]])


@given(offsets)
def test_offsets_of_a_former_topic_say_nothing_of_the_one_that_is_there(then):
    anew = {**ids, "a": "another"}
    back = offsets_back(kept(then), committed(then), anew)

    for (topic, number), one in back.items():
        expected = Committed(0, "another") if topic == "a" else Committed(then[topic, number], ids[topic])
        assert one == expected


@given(offsets)
def test_a_topic_that_is_gone_is_left_alone(then):
    assert not any(topic == "b" for topic, _ in offsets_back(kept(then), committed(then), {"a": "id-a", "c": "id-c"}))


def test_a_service_without_offsets_in_the_backup_begins_anew():
    assert offsets_back(None, {("a", 0): Committed(7, "id-a")}, ids) == {("a", 0): Committed(0, "id-a")}


def test_an_offset_of_a_former_topic_is_not_kept():
    found = {("a", 0): Committed(9, "new"), ("a", 1): Committed(3, "old")}

    assert by_topic(found)["a"].offsets == {0: 9}


def record(aggregate="x", version=1, at=NOW):
    headers = wire_headers(
        event_id="018f0000-0000-7000-8000-000000000000", kind="o.P.v1", source="o", subject=aggregate,
        time=NOW.isoformat(), version=version, traceparent=None,
    )  # fmt: skip
    return Record("t", b"x", b"{}", headers, timestamp_ms=int(at.timestamp() * 1000))


def test_the_newest_version_of_each_aggregate_counts_whatever_their_order():
    records = [record(version=3), record(version=2), record("y"), replace_headers(record("z"))]

    assert newest(records, since=NOW) == {"x": 3, "y": 1}


def replace_headers(one):
    return one._replace(headers=())


def test_what_was_sent_before_is_passed_over():
    assert newest([record(at=NOW - timedelta(seconds=1))], since=NOW) == {}


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 5)), st.dictionaries(st.text(max_size=3), st.integers(1, 5)))
def test_in_the_gap_is_what_has_a_newer_version_than_its_row(published, stored):
    found = {one.aggregate_id: one for one in unknown("t", published, stored)}

    for aggregate, version in published.items():
        assert (aggregate in found) == (version > stored.get(aggregate, 0))
        if aggregate in found:
            assert found[aggregate].stored == stored.get(aggregate)
