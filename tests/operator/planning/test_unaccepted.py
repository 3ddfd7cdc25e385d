"""A version that has all requests is watched as long as it has them, whatever was pushed meanwhile."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning.observed import GateState
from slipway_operator.planning.status import facts_of, status_of
from slipway_operator.planning.steps import RunGate
from slipway_operator.spec.status import MicroserviceStatus
from support.release_world import Nature, condition, running, told, until

WATCH = timedelta(minutes=10)


def superseded(*, nature=None, **changes):
    """v2 has all requests and is watched; v3 was pushed and waits for a person."""
    world = running(expand=False)
    world.release("v2", watch=WATCH)
    until(world, lambda: world.status_view.phase == "Watching" and world.facts.release.promoted_at)
    world.release("v3", nature, watch=WATCH, auto_promote=False, **changes)
    until(world, lambda: world.status_view.phase == "Waiting")
    return world


def break_consumers(world):
    world.natures["v2"] = Nature(consumes=False, crashing=("consumer",))


def fail_a_gate(world):
    world.natures["v2"] = Nature(watched=GateState.FAILED)


def lose_data(world):
    world.natures["v2"] = Nature(watched=GateState.INCONCLUSIVE)


def stop_answering(world):
    world.natures["v2"] = Nature(starts=False)


@pytest.mark.parametrize("breaks", [fail_a_gate, lose_data, break_consumers, stop_answering], ids=lambda f: f.__name__)
def test_it_goes_back_when_it_fails(breaks):
    world = superseded()
    breaks(world)
    world.settle()

    assert (world.active, world.facts.stable, world.consuming()) == ("v1", "v1", {"v1"})
    assert world.status_view.phase == "Waiting", "v3 still waits for its person"
    assert condition(world, "Ready") == "True"
    assert ("v2", "Failed") in [(each.version, each.result) for each in world.facts.history]
    assert not world.versions["v2"].serving["http"].alive
    world.desired = replace(world.desired, promote="v3")
    world.settle()
    assert (world.active, world.consuming()) == ("v3", {"v3"})


def test_its_gates_are_asked_again_and_again():
    world = superseded()
    before = len(told(world, RunGate))
    world.tick(4)
    for _ in range(8):
        world.round()
        world.tick()

    assert {gate.version for gate in told(world, RunGate)[before:]} == {"v2"}
    assert len(told(world, RunGate)) >= before + 4


def test_meanwhile_it_is_not_ready_and_the_status_says_why():
    world = superseded()

    assert condition(world, "Ready") == "Unknown"
    assert "v2 (v2) has all requests and is not accepted: it is watched until" in world.status_view.blocked_by
    assert "release.promote" in world.status_view.blocked_by


def test_it_becomes_the_stable_version_when_its_watch_ends_well():
    world = superseded()
    world.settle()

    assert (world.active, world.facts.stable, world.facts.unaccepted) == ("v2", "v2", None)
    assert world.status_view.phase == "Waiting"
    assert condition(world, "Ready") == "True"
    world.natures["v3"] = Nature(watched=GateState.FAILED)
    world.desired = replace(world.desired, promote="v3")
    world.settle()
    assert world.active == "v2", "the way back of v3 is v2"


def test_a_newer_version_with_more_pods_makes_it_no_shorter():
    world = superseded(replicas=5)
    world.settle()

    assert world.facts.stable == "v2"


def test_it_is_over_when_the_newer_version_takes_over():
    world = superseded()
    world.desired = replace(world.desired, promote="v3")
    world.settle()

    assert (world.active, world.facts.stable) == ("v3", "v3")
    assert ("v2", "Superseded") in [(each.version, each.result) for each in world.facts.history]


def test_pushed_again_its_watch_goes_on():
    world = superseded()
    began = world.facts.unaccepted.release.promoted_at
    world.release("v2", watch=WATCH)
    world.round()

    assert world.facts.release.version == "v2"
    assert world.facts.release.promoted_at == began
    world.settle()
    assert world.facts.stable == "v2"


def test_what_is_known_of_it_survives_a_restart():
    stable, watched, newer = "aaaaaaa1", "bbbbbbb2", "ccccccc3"
    world = running(stable, expand=False)
    world.release(watched, watch=WATCH)
    until(world, lambda: world.status_view.phase == "Watching" and world.facts.release.promoted_at)
    world.release(newer, watch=WATCH, auto_promote=False)
    world.natures[watched] = Nature(watched=GateState.FAILED)
    for _ in range(20):
        world.round()
        written = status_of(world.plan(), MicroserviceStatus(), selector="", generation=1, now=world.now)
        world.facts = facts_of(MicroserviceStatus.model_validate(written.model_dump(by_alias=True, mode="json")))
        world.tick()

    assert world.active == stable
