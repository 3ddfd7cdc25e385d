"""What others change or delete is put right, and what is missing is waited for."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning import decisions, plan
from slipway_operator.planning.facts import Facts, Stage
from slipway_operator.planning.observed import GateState, Observed
from slipway_operator.planning.steps import Emit, ForgetVersion, RecordVersion, SwitchActive
from support.release_world import START, Nature, World, running, until, version_desired


class TestDrift:
    def test_a_switch_that_was_cut_in_the_middle_is_completed(self):
        """Two active Services, one for HTTP and a headless one for gRPC, and only one of them was written."""
        world = running()
        seen = replace(world.observe(), active_split=True)

        assert SwitchActive("v1") in plan(seen, world.desired, world.now).steps

    def test_it_is_completed_in_the_middle_of_a_release_too(self):
        world = running()
        world.release("v2", auto_promote=False)
        world.settle()
        seen = replace(world.observe(), active_split=True)

        assert SwitchActive("v1") in plan(seen, world.desired, world.now).steps

    def test_a_service_that_was_deleted_is_selected_again(self):
        world = running()
        world.active, world.selected, world.active_endpoints = None, None, {}
        world.round()

        assert world.active == "v1"

    def test_a_first_look_at_a_running_service_takes_it_as_it_is(self):
        world = running()
        world.facts = Facts()
        world.settle()

        assert world.facts.stable == "v1"
        assert world.facts.history == ()

    def test_a_record_that_is_deleted_at_rest_is_made_again_and_nothing_else_happens(self):
        world = running()
        world.versions["v1"].recorded = False
        made = world.round()

        assert [type(step) for step in made.steps] == [RecordVersion]
        assert world.status_view.phase == "Released"
        world.settle()
        assert world.facts.history[1:] == ()

    def test_an_active_version_whose_record_is_deleted_serves_until_its_successor_does(self):
        """Its consumers too: without a record they would have stood in the way of the new ones for ever."""
        world = running()
        world.release("v2")
        world.versions["v1"].recorded = False
        until(world, lambda: world.active == "v2")
        assert world.ready("v1") == 2
        world.settle()

        assert world.consuming() == {"v2"}
        assert "v1" not in world.versions
        assert world.facts.stable == "v2"

    def test_a_failed_release_goes_back_to_a_version_whose_record_was_deleted(self):
        world = running()
        world.release("v2", Nature(gate=GateState.FAILED))
        world.versions["v1"].recorded = False
        world.settle()

        assert world.active == world.facts.stable == "v1"

    def test_a_person_can_not_go_back_to_a_version_whose_record_was_deleted(self):
        world = running(scale_down_delay=timedelta(hours=1))
        world.release("v2")
        until(world, lambda: world.facts.stable == "v2")
        world.versions["v1"].recorded = False
        world.desired = replace(world.desired, pinned="v1")
        found = decisions.target_version(world.observe(), world.desired, "v2")

        assert found.version == "v2"
        assert found.refused == "release.activeVersion names v1, which is not kept; kept: v2"


class TestConfiguration:
    def test_what_is_missing_is_named_and_waited_for(self):
        world = running()
        world.release("v2")
        seen = replace(world.observe(), missing="ConfigMap orders does not exist")
        made = plan(seen, world.desired, world.now)

        assert made.steps == (Emit("ReleaseStarted", "Release of v2 begins"),)
        assert "ConfigMap orders does not exist" in made.status_view.blocked_by
        assert made.requeue_after <= timedelta(seconds=5)

        facts = made.facts
        late = world.now + world.desired.progress_deadline
        made = plan(replace(seen, facts=facts), world.desired, late)
        assert made.facts.held.message == "Recording took too long: ConfigMap orders does not exist"

    @pytest.mark.parametrize("lost", [False, True])
    def test_no_pod_starts_before_its_configuration_is_copied(self, lost):
        world = running()
        world.release("v2")
        world.round()
        views = world.observe().versions
        views["v2"] = replace(views["v2"], configured=False, lost=lost)
        made = plan(replace(world.observe(), versions=views), world.desired, world.now)

        # A record of what can't be copied any more is made anew, with what is there now.
        assert made.steps == ((ForgetVersion("v2"),) if lost else ())
        assert made.status_view.step == "Recording"


class TestPurity:
    def test_the_same_look_gives_the_same_plan(self):
        world = running()
        world.release("v2")
        for _ in range(30):
            assert world.plan() == world.plan()
            world.round()
            world.tick()

    def test_nothing_at_all_is_a_beginning(self):
        made = plan(Observed(facts=World().facts), version_desired("v1"), START)

        assert RecordVersion("v1", 1) in made.steps
        assert made.facts.release.reached is Stage.RECORDING

    def test_a_status_that_was_lost_costs_no_request(self):
        world = running()
        world.release("v2")
        for _ in range(40):
            world.facts = type(world.facts)()
            world.round()
            world.tick()
            assert world.reachable()
