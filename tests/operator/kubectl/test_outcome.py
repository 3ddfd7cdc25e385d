"""What one that waits for a release is told, to the end."""

import pytest

from slipway_operator.kubectl import release_patches
from slipway_operator.kubectl.outcome import outcome
from slipway_operator.planning.facts import Stage
from slipway_operator.planning.observed import GateState
from support.release_snapshots import NEW, NEWEST, OLD, apply, released, snapshot_of, stop_at
from support.release_world import Nature


def story_of(world, version, *, forward, limit=80):
    """What one that waits is told at each look, to the end."""
    told = []
    for _ in range(limit):
        world.round()
        told.append(outcome(snapshot_of(world).status, 1, version, forward=forward))
        if told[-1].done or told[-1].failed:
            return told
        world.tick()
    raise AssertionError(told[-1])


def test_one_that_waits_for_a_promotion_is_told_when_it_is_accepted():
    world = released(auto_promote=False)
    apply(world, release_patches.promote(stop_at(world, Stage.PROMOTING)))

    told = story_of(world, NEW, forward=True)

    assert told[-1].done
    assert world.facts.stable == NEW
    assert any("Watching" in each.line for each in told)


@pytest.mark.parametrize(
    "nature", [Nature(gate=GateState.FAILED), Nature(watched=GateState.FAILED), Nature(starts=False)]
)
def test_one_that_waits_for_a_bad_version_is_told_why_it_failed(nature):
    world = released(nature=nature)

    told = story_of(world, NEW, forward=True)

    assert told[-1].failed == world.facts.held.message


def test_one_that_waits_for_an_abort_waits_for_the_workers_too():
    world = released()
    apply(world, release_patches.abort(stop_at(world, Stage.WATCHING)))

    told = story_of(world, OLD, forward=False)

    assert told[-1].done
    assert world.active == OLD
    assert world.consuming() == {OLD}


def test_a_version_that_is_superseded_ends_the_wait():
    world = released()
    stop_at(world, Stage.CHECKING)
    world.release(NEWEST)

    assert story_of(world, NEW, forward=True)[-1].failed == "another version is wanted now"


def test_a_status_of_the_spec_before_proves_nothing():
    world = released()
    world.settle()

    assert not outcome(snapshot_of(world).status, 2, NEW, forward=True).done
