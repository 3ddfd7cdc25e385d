"""Records that wait: what is committed is never more than what is settled, and keys keep their order."""

from hypothesis import given
from hypothesis import strategies as st

from slipway_chassis.events.deferral import Deferrals, Positions
from slipway_chassis.events.ports import Record


def record(offset, key, partition=0):
    return Record(topic="t", key=key, value=b"", partition=partition, offset=offset)


@given(
    keys=st.lists(st.sampled_from([b"a", b"b", b"c", None]), min_size=1, max_size=60),
    failing=st.sets(st.integers(0, 59)),
    batch=st.integers(1, 20),
)
def test_nothing_that_waits_is_ever_committed_and_each_key_stays_in_order(keys, failing, batch):
    deferrals, positions = Deferrals(), Positions()
    settled, committed, tried = [], 0, set()

    def attempt(one):
        if one.offset in failing and one.offset not in tried:
            tried.add(one.offset)
            deferrals.defer(one, attempts=1, due=0.0)
        else:
            settled.append(one)

    log = [record(offset, key) for offset, key in enumerate(keys)]
    for start in range(0, len(log), batch):
        polled = log[start : start + batch]
        positions.polled(polled)
        for waiting in deferrals.due(0.0):
            deferrals.remove(waiting)
            while waiting.records:
                one = waiting.records.popleft()
                if not deferrals.takes(one):
                    attempt(one)
        for one in polled:
            if not deferrals.takes(one):
                attempt(one)
        offsets = positions.to_commit(deferrals.first_offsets())
        positions.committed |= offsets
        committed = positions.committed["t", 0]
        assert {one.offset for one in log[:committed]} <= {one.offset for one in settled}
    for key in (b"a", b"b", b"c"):
        offsets = [one.offset for one in settled if one.key == key]
        assert offsets == sorted(offsets)
    assert len({one.offset for one in settled}) == len(settled)


def test_partitions_that_went_to_others_are_forgotten():
    deferrals, positions = Deferrals(), Positions()
    for partition in (0, 1):
        positions.polled([record(5, b"k", partition)])
    deferrals.defer(record(5, b"x", 0), attempts=1, due=0)
    deferrals.defer(record(5, b"y", 1), attempts=1, due=0)

    deferrals.keep({("t", 1)})
    positions.keep({("t", 1)})

    assert deferrals.first_offsets() == {("t", 1): 5}
    assert set(positions.next) == {("t", 1)}


def test_a_record_that_is_polled_again_waits_once():
    deferrals = Deferrals()
    deferrals.defer(record(5, b"k"), attempts=1, due=0)

    assert deferrals.takes(record(5, b"k"))
    assert deferrals.takes(record(6, b"k"))
    assert deferrals.takes(record(6, b"k"))

    assert len(deferrals) == 2


def test_records_without_a_key_wait_for_nobody():
    deferrals = Deferrals()
    deferrals.defer(record(5, None), attempts=1, due=0)

    assert not deferrals.takes(record(6, None))
