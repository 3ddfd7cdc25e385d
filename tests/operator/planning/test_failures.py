"""Versions that are no good, and the stories that went wrong elsewhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning.observed import GateState
from slipway_operator.planning.steps import RunGate, ScaleServing, SelectPreview, SwitchActive
from support.release_world import Nature, World, condition, running, told, until

BAD = {
    "a crash": Nature(starts=False),
    "a failed gate": Nature(gate=GateState.FAILED),
    "a gate without data": Nature(gate=GateState.INCONCLUSIVE),
    "a gate that hangs": Nature(gate=GateState.RUNNING),
    "a failed gate in the watch": Nature(watched=GateState.FAILED),
    "no data in the watch": Nature(watched=GateState.INCONCLUSIVE),
    "a gate that hangs in the watch": Nature(watched=GateState.RUNNING),
    "a failed migration": Nature(migrates=False),
    "consumers that do not start": Nature(consumes=False),
}


class TestFailure:
    @pytest.mark.parametrize("rolling", [False, True], ids=["BlueGreen", "Rolling"])
    @pytest.mark.parametrize("nature", BAD.values(), ids=BAD)
    def test_it_goes_back_and_says_why(self, nature, rolling):
        world = running(rolling=rolling)
        world.release("v2", nature)
        world.settle()

        assert world.active == world.facts.stable == "v1"
        assert world.consuming() == {"v1"}
        assert world.status_view.phase == "Failed"
        assert world.facts.held.version == "v2"
        assert "v2 is held" in world.status_view.blocked_by
        assert condition(world, "Stalled") == "True"
        assert condition(world, "Ready") == "False"
        assert not world.versions["v2"].serving["http"].alive
        assert [step.reason for step in world.events if step.kind == "Warning"] == ["ReleaseFailed"]
        assert world.facts.history[-1].result == "Failed"

    def test_the_held_version_is_not_tried_again_when_an_autoscaler_writes(self):
        world = running()
        world.release("v2", Nature(gate=GateState.FAILED))
        world.settle()
        world.story.clear()
        world.desired = replace(world.desired, replicas=6, generation=9)
        world.settle()

        assert told(world, RunGate) == []
        assert world.ready("v1") == 6

    def test_a_retry_asks_the_gates_again(self):
        world = running()
        world.release("v2", Nature(gate=GateState.FAILED))
        world.settle()
        world.natures["v2"] = Nature()
        world.desired = replace(world.desired, fingerprint="with another release.retry")
        world.settle()

        assert world.active == "v2"

    def test_a_dry_run_decides_nothing(self):
        world = running()
        gates = tuple(replace(gate, dry_run=True) for gate in world.desired.gates)
        world.release("v2", Nature(gate=GateState.FAILED, watched=GateState.FAILED), gates=gates)
        world.settle()

        assert world.active == "v2"

    def test_endpoints_lost_in_the_watch_bring_the_old_version_back_at_once(self):
        world = running()
        world.release("v2", watch=timedelta(seconds=600))
        until(world, lambda: world.status_view.phase == "Watching" and world.facts.release.promoted_at)
        world.versions["v2"].serving["http"].lose(9)
        world.round()
        assert world.active in {"v1", "v2"}
        world.round()

        assert world.active == "v1"
        world.settle()
        assert world.facts.held.reason == "EndpointsLost"

    def test_a_failed_contract_migration_keeps_the_new_version_and_says_so(self):
        world = running()
        world.release("v2", Nature(contracts=False), contract=True)
        world.settle()

        assert world.active == world.facts.stable == "v2"
        assert world.facts.history[-1].result == "ContractFailed"
        assert "contract migration failed" in world.status_view.blocked_by
        world.natures["v2"] = Nature()
        world.desired = replace(world.desired, fingerprint="retry")
        world.settle()
        assert world.status_view.phase == "Released"
        assert world.facts.history[-1].result == "Succeeded"

    def test_a_first_version_waits_on_and_says_that_it_is_stuck(self):
        """Its database may come later; there is nothing to go back to."""
        world = World(natures={"v1": Nature(starts=False)})
        for _ in range(20):
            world.round()
            world.tick()
        assert condition(world, "Stalled") == "True"
        assert "image not found" in world.status_view.blocked_by

        world.natures["v1"] = Nature()
        world.settle()
        assert world.active == "v1"
        assert world.status_view.phase == "Released"


class TestPeersBugs:
    def test_argo_rollouts_4750_the_active_service_is_never_empty(self):
        """Blackout: the selector pointed at a version that was scaled to 0."""
        world = running()
        world.release("v2")
        world.settle()
        world.active, world.active_endpoints = "v1", {}  # somebody wrote the selector of a version that is down
        world.tick()
        world.round()

        assert world.active == "v2"

    def test_requests_are_rescued_before_anything_is_scaled(self):
        """A Deployment that the API server refuses would else keep requests without an answer until the deadline."""
        world = running()
        world.release("v2", auto_promote=False)
        world.settle()
        world.active, world.active_endpoints = None, {}  # somebody deleted the active Service
        world.versions["v2"].serving["http"].scale(0)
        made = world.plan()

        # And the consumers of the stable version go on, whatever happened to a Service.
        assert made.steps == (SwitchActive("v1"), ScaleServing("v2", "http", 1))

    @pytest.mark.parametrize("way", ["deadline", "abort"])
    def test_argo_rollouts_4128_an_image_that_can_not_be_pulled_ends_a_release(self, way):
        """Abort and deadline did nothing while pods were in ImagePullBackOff."""
        world = running()
        world.release("v2", Nature(starts=False))
        until(world, lambda: world.status_view.step == "Starting")
        if way == "abort":
            world.desired = replace(world.desired, pinned="v1")
        world.settle()

        assert world.active == "v1"
        assert not world.versions["v2"].serving["http"].alive
        if way == "deadline":
            assert world.facts.held.reason == "ImagePullBackOff"

    @pytest.mark.parametrize("killed_after", range(6))
    def test_argo_rollouts_3256_an_operator_that_restarts_goes_on(self, killed_after):
        """Releases were stuck until the controller was restarted, or because it was."""
        world = running()
        world.release("v2")
        for _ in range(60):
            world.round(killed_after=killed_after)
            world.round()
            world.tick()
        world.settle()

        assert world.active == world.facts.stable == "v2"

    @pytest.mark.parametrize("replicas", [1, 10])
    def test_argo_rollouts_4302_the_active_version_keeps_its_size_when_a_version_brings_another(self, replicas):
        """Both versions were scaled to the new number, before anybody had looked at the new version."""
        world = running(replicas=4)
        world.release("v2", replicas=replicas, auto_promote=False)
        world.settle()
        assert world.ready("v1") == 4
        assert world.ready("v2") == max(4, replicas)

        world.desired = replace(world.desired, promote="v2")
        world.settle()
        assert world.ready("v2") == replicas

    def test_argo_rollouts_4935_a_former_version_that_is_scaled_up_by_hand_goes_down_again(self):
        """Double capacity for ever after a sync scaled the old Deployment up."""
        world = running()
        world.release("v2")
        world.settle()
        world.versions["v1"].serving["http"].scale(5)
        world.versions["v1"].workers["consumer"].scale(0)
        world.tick(2)
        world.settle()

        assert not world.versions["v1"].serving["http"].alive

    def test_argo_rollouts_2641_the_preview_answers_only_with_pods_that_are_ready(self):
        """The preview Service was switched while the new version had no pods."""
        world = running()
        world.release("v2", Nature(starts=False))
        world.settle()

        assert SelectPreview("v2") not in world.story
        assert world.preview is None

    @pytest.mark.parametrize("rolling", [False, True], ids=["BlueGreen", "Rolling"])
    def test_flagger_639_a_broken_active_version_does_not_block_its_fix(self, rolling):
        """The fix waited for the broken primary to become ready."""
        world = running(rolling=rolling)
        world.natures["v1"] = Nature(starts=False, consumes=False)
        world.tick(3)
        assert world.ready("v1") == 0
        world.release("v2")
        world.settle()

        assert world.active == world.facts.stable == "v2"
        assert world.consuming() == {"v2"}
