"""The way back to a version that is kept."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning.observed import GateState
from slipway_operator.planning.steps import RunGate, StartMigration, SwitchActive, UnmarkDraining
from support.release_world import Nature, World, running, told, until, version_desired


class TestRollback:
    def test_it_is_one_switch_while_the_old_version_is_up(self):
        world = running()
        world.release("v2", scale_down_delay=timedelta(seconds=3600))
        until(world, lambda: world.status_view.phase == "Finishing")
        world.tick(4)
        world.story.clear()
        world.desired = replace(world.desired, pinned="v1")
        world.round()
        world.round()

        assert world.active == "v1"
        assert told(world, SwitchActive, UnmarkDraining)[:2] == [UnmarkDraining("v1"), SwitchActive("v1")]
        assert told(world, RunGate, StartMigration) == []
        world.settle(limit=400)
        assert world.consuming() == {"v1"}
        assert world.facts.history[-1].kind == "Rollback"

    def test_a_version_that_is_down_is_started_first(self):
        world = running()
        world.release("v2")
        world.settle()
        world.desired = replace(world.desired, pinned="v1", replicas=3)
        world.settle()

        assert world.active == world.facts.stable == "v1"
        assert world.ready("v1") == 3
        assert not world.versions["v2"].serving["http"].alive

    def test_what_was_active_last_is_kept_however_old_it_is(self):
        """Tried again and again from the same version, the way back to it must not end at the last try."""
        world = running(history=2)
        for number in range(2, 8):
            world.desired = replace(world.desired, pinned=None)
            world.release(f"v{number}")
            world.settle()
            assert world.active == f"v{number}"
            world.desired = replace(world.desired, pinned="v1")
            world.settle()
            assert world.active == "v1"

        assert set(world.versions) == {"v1", "v6", "v7"}

    def test_naming_the_active_version_aborts_a_release(self):
        world = running()
        world.release("v2", auto_promote=False)
        world.settle()
        world.desired = replace(world.desired, pinned="v1")
        world.settle()

        assert world.active == "v1"
        assert not world.versions["v2"].serving["http"].alive
        assert world.facts.history[-1].result == "Superseded"

    def test_a_version_that_is_not_kept_is_refused_with_those_that_are(self):
        world = running()
        world.desired = replace(world.desired, pinned="aaaaaaaa")
        world.settle()

        assert world.status_view.phase == "Blocked"
        assert world.status_view.blocked_by == "release.activeVersion names aaaaaaaa, which is not kept; kept: v1"

    def test_no_version_comes_back_below_the_floor_of_the_schema(self):
        world = running()
        world.release("v2", contract=True)
        world.settle()
        world.desired = replace(world.desired, pinned="v1")
        world.settle()

        assert world.active == "v2"
        assert "can't come back: the contract migration of v2" in world.status_view.blocked_by

    def test_what_could_answer_is_not_taken_away_when_the_target_dies(self):
        """With Rolling, the stable version gives its pods up after the switch; not when they are the last."""
        world = running(rolling=True)
        world.release("v2")
        world.settle()
        world.desired = replace(world.desired, pinned="v1")
        until(world, lambda: world.active == "v1")
        world.versions["v1"].serving["http"].lose(9)
        world.active_endpoints = {"v1": 2}
        world.round()

        assert world.ready("v2") == 2
        assert world.active == "v2"

    def test_a_rollback_that_does_not_start_stays_where_it_is(self):
        world = running()
        world.release("v2")
        world.settle()
        world.natures["v1"] = Nature(starts=False)
        world.desired = replace(world.desired, pinned="v1")
        world.settle()

        assert world.active == "v2"
        assert world.facts.held.version == "v1"


class TestAVersionThatFailedWhenAnotherOneIsPushed:
    def test_requests_go_back_while_the_newer_one_waits(self):
        """The way back was open and not over: with the push it was forgotten, and the failed version kept all requests
        for as long as nobody promoted the newer one.
        """
        world = running()
        world.release("v2", Nature(watched=GateState.FAILED))
        until(world, lambda: world.facts.release and world.facts.release.kind == "Undo")
        assert world.active == "v2"
        world.release("v3", auto_promote=False)
        world.settle()

        assert world.active == "v1"
        assert world.status_view.phase == "Waiting"
        assert world.consuming() == {"v1"}


@pytest.mark.parametrize("seconds", range(0, 300, 15))
def test_a_version_that_nobody_promoted_waits_once_there_is_one_to_go_back_to(seconds):
    """Begun as the first version of all, beside one that is accepted at any moment of its way: the first one waits for
    nobody. (The world refuses a switch that nobody has allowed.)
    """
    world = World(desired=version_desired("v1", watch=timedelta(seconds=seconds)))
    until(world, lambda: world.active == "v1" and world.facts.release and world.facts.release.promoted_at)
    world.release("v2", auto_promote=False)
    world.settle()

    if world.active == "v1":
        assert (world.facts.stable, world.status_view.phase) == ("v1", "Waiting")
