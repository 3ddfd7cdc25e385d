"""A name that is somebody else's blocks a new version, and nothing that runs."""

from dataclasses import replace

from slipway_operator.planning import steps as s
from support.release_world import running

TAKEN = "Service orders belongs to Helm release hello"


def blocked(world):
    world.not_ours = TAKEN
    world.release("v2")
    for _ in range(120):
        world.round()
        world.tick()
    return world


def test_a_new_version_is_recorded_and_blocked_without_an_end():
    world = running("v1")
    before = len(world.story)

    blocked(world)

    assert world.status_view.phase == "Blocked"
    assert TAKEN in world.status_view.blocked_by
    ready = next(each for each in world.status_view.conditions if each.type == "Ready")
    assert (ready.status, TAKEN in ready.message) == ("False", True)
    assert [each for each in world.story[before:] if not isinstance(each, s.Emit | str)] == [s.RecordVersion("v2", 2)]
    assert world.active == "v1"


def test_it_goes_on_when_the_object_was_handed_over():
    world = blocked(running("v1"))
    world.not_ours = ""

    world.settle()

    assert world.active == "v2"
    assert world.status_view.phase == "Released"


def test_a_rollback_does_not_wait_for_it():
    world = running("v1")
    world.release("v2")
    world.settle()
    blocked_at_v3 = replace(world.desired, version="v3", fingerprint="v3")
    world.not_ours = TAKEN
    world.desired = replace(blocked_at_v3, pinned="v1")

    world.settle()

    assert world.active == "v1"
