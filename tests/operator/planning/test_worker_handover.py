"""A worker is consumer and relay in one process: how events pass from two processes to one, and back."""

import itertools
from dataclasses import replace

import pytest

from slipway_operator.planning.steps import ScaleWorkers
from slipway_operator.spec.fields import COMPONENTS, CONSUMING, RELAYING, SERVING, WORKERS
from support.release_world import Nature, running

TWO, ONE, RELAY_ONLY, CONSUMER_ONLY = "v1", "v2m", "v3r", "v4c"


def moved(world, until):
    """The steps that move workers until ``until`` has all requests and nothing goes on; and how many sent meanwhile."""
    before, silent = len(world.story), 0
    for _ in range(60):
        world.round()
        world.tick()
        silent += not world.sending()
    world.settle()
    assert (world.active, world.facts.release) == (until, None), world.status_view
    steps = [each for each in world.story[before:] if isinstance(each, ScaleWorkers)]
    return [(each.version, each.component, each.replicas) for each in steps], silent


def released(first, second, **changes):
    world = running(first, **changes)
    world.release(second)
    return world, *moved(world, second)


def test_what_consumes_and_what_relays_stands_in_one_place():
    assert set(WORKERS) == set(CONSUMING) | set(RELAYING)
    assert set(COMPONENTS) == {*SERVING, *WORKERS}


def test_a_worker_starts_when_the_old_consumer_is_gone_and_the_old_relay_sends_until_it_is_ready():
    _, steps, silent = released(TWO, ONE)

    assert steps == [(TWO, "consumer", 0), (ONE, "worker", 1), (TWO, "relay", 0)]
    assert not silent


def test_a_worker_ends_when_the_new_relay_is_ready_and_the_new_consumer_starts_when_it_is_gone():
    _, steps, silent = released(ONE, TWO)

    assert steps == [(TWO, "relay", 1), (ONE, "worker", 0), (TWO, "consumer", 1)]
    assert not silent


def test_on_the_way_back_it_is_the_same():
    world, _, _ = released(TWO, ONE)
    world.desired = replace(world.desired, pinned=TWO)
    steps, silent = moved(world, TWO)

    assert steps == [(TWO, "relay", 1), (ONE, "worker", 0), (TWO, "consumer", 1)]
    assert not silent


def test_of_two_workers_the_new_one_waits_for_the_end_of_the_old_one():
    _, steps, silent = released("v1m", ONE)

    assert steps == [("v1m", "worker", 0), (ONE, "worker", 1)]
    assert silent, "nothing is sent meanwhile: rows wait in the outbox"


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.permutations([TWO, ONE, RELAY_ONLY, CONSUMER_ONLY, "v5w"], 2)), ids=" to ".join
)
@pytest.mark.parametrize("exclusive", [True, False], ids=["exclusive", "overlap"])
def test_all_workers_come_to_the_new_version_whatever_they_are(first, second, exclusive):
    world, _, _ = released(first, second, exclusive=exclusive)

    assert all(pods.ready for pods in world.versions[second].workers.values())
    assert not any(pods.wanted or pods.alive for pods in world.versions[first].workers.values())


@pytest.mark.parametrize(("first", "second"), [(TWO, ONE), (ONE, TWO), ("v1m", ONE)], ids=" to ".join)
def test_where_consumers_may_overlap_somebody_consumes_and_sends_all_the_time(first, second):
    world = running(first, exclusive=False)
    world.release(second)
    for _ in range(60):
        world.round()
        world.tick()
        assert world.sending()
        assert world.members
    assert world.active == second


def test_a_worker_that_never_gets_ready_gives_the_events_back():
    world = running(TWO)
    world.release(ONE, Nature(consumes=False))
    steps, silent = moved(world, TWO)

    assert steps == [(TWO, "consumer", 0), (ONE, "worker", 1), (ONE, "worker", 0), (TWO, "consumer", 1)]
    assert not silent
    assert world.status_view.phase == "Failed"


@pytest.mark.parametrize(
    ("first", "before", "second", "after"),
    [(TWO, {"consumer": 3, "relay": 2}, ONE, {"worker": 3}), (ONE, {"worker": 3}, TWO, {"consumer": 3, "relay": 2}),
     (TWO, {"consumer": 3, "relay": 3}, CONSUMER_ONLY, {"consumer": 3})],
    ids=["one process", "two processes", "no relay"],
)  # fmt: skip
def test_a_spec_of_another_shape_makes_the_version_that_works_no_smaller(first, before, second, after):
    world = running(first, workers=before)
    world.release(second, workers=after, auto_promote=False)
    for _ in range(30):
        world.round()
        world.tick()
    assert world.status_view.phase == "Waiting"
    consumers = [pods.ready for name, pods in world.versions[first].workers.items() if name in CONSUMING]
    assert consumers == [3]

    world.desired = replace(world.desired, promote=second)
    world.settle()
    assert {name: pods.ready for name, pods in world.versions[second].workers.items()} == after


def test_what_was_stopped_on_purpose_stays_stopped_when_the_shape_changes():
    world = running(TWO, workers={"consumer": 0, "relay": 1})
    world.release(ONE, workers={"worker": 0}, auto_promote=False)
    for _ in range(30):
        world.round()
        world.tick()

    assert not world.versions[TWO].workers["consumer"].wanted


@pytest.mark.parametrize("worker_sends", [False, True], ids=["the worker is broken", "the worker sends"])
def test_the_way_back_does_not_wait_for_ever_for_a_relay(worker_sends):
    """It never starts, for want of memory perhaps: consumers come back all the same."""
    world, _, _ = released(TWO, ONE)
    world.natures[TWO].relays = False
    world.natures[ONE].consumes = worker_sends
    world.desired = replace(world.desired, pinned=TWO)
    for _ in range(60):
        world.round()
        world.tick()

    assert world.active == TWO
    assert world.versions[TWO].workers["consumer"].ready
    assert not world.versions[ONE].workers["worker"].wanted


def test_people_see_the_worker_as_what_consumes_and_the_pause():
    world, _, _ = released(TWO, ONE, asks_brokers=True)

    assert world.status_view.consumers == f"1/1 of {ONE}"
    assert [each.message for each in world.events if each.reason == "ConsumersHandedOver"]
    assert world.facts.history[-1].handover_pause_ms > 0
