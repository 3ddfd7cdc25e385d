from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from slipway_chassis.events.outbox import SHARDS, shard_of
from slipway_chassis.events.relay import waves


@dataclass(frozen=True)
class Row:
    seq: int
    aggregate_id: str


rows = st.lists(st.sampled_from("abcde"), max_size=60).map(lambda ids: [Row(i, a) for i, a in enumerate(ids)])


@given(rows)
def test_waves_keep_every_row_and_the_order_of_each_aggregate(rows):
    sent = [row for wave in waves(rows) for row in wave]

    assert sorted(row.seq for row in sent) == [row.seq for row in rows]
    for aggregate in {row.aggregate_id for row in rows}:
        of_one = [row.seq for row in sent if row.aggregate_id == aggregate]
        assert of_one == sorted(of_one)


@given(rows)
def test_no_wave_holds_two_rows_of_one_aggregate(rows):
    for wave in waves(rows):
        assert len({row.aggregate_id for row in wave}) == len(wave)


@given(st.text())
def test_a_shard_is_stable_and_in_range(aggregate_id):
    assert shard_of(aggregate_id) == shard_of(aggregate_id)
    assert 0 <= shard_of(aggregate_id) < SHARDS
