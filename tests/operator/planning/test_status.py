"""What the planner remembers in the status, and notes on each version."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning.observed import ANY, GateState, Noted
from slipway_operator.planning.status import facts_of, status_of
from slipway_operator.planning.steps import NoteActivity
from slipway_operator.spec.status import MicroserviceStatus
from support.release_world import START, Nature, World, condition, running, told, until, version_desired


class TestStatus:
    def test_the_facts_survive_the_way_through_the_status_at_every_step(self):
        """So an operator that starts anew with the status alone decides the same."""
        world, status = World(desired=version_desired("aaaaaaaa", contract=True)), MicroserviceStatus()
        for number in range(120):
            if number == 30:
                world.release("bbbbbbbb", replicas=5)
            if number == 70:
                world.release("cccccccc", Nature(watched=GateState.FAILED))
            made = world.round()
            status = status_of(made, status, selector="pods", generation=1, now=world.now)
            assert facts_of(status) == made.facts
            world.facts = facts_of(MicroserviceStatus.model_validate_json(status.model_dump_json(by_alias=True)))
            world.tick()

        assert [each.result for each in status.history] == ["Succeeded", "Succeeded", "Failed"]
        assert status.active_version == status.stable_version == "bbbbbbbb"
        assert status.selector == "pods"
        assert (status.readiness, status.consumers) == ("5/5", "1/1 of bbbbbbbb")

    def test_at_rest_nothing_is_written(self):
        world = running("aaaaaaaa")
        before = status_of(world.plan(), MicroserviceStatus(), selector="pods", generation=1, now=world.now)
        world.now += timedelta(hours=1)
        made = world.plan()

        assert made.steps == ()
        assert status_of(made, before, selector="pods", generation=1, now=world.now) == before

    def test_a_condition_keeps_the_time_of_its_last_change(self):
        world = running("aaaaaaaa")
        before = status_of(world.plan(), MicroserviceStatus(), selector="pods", generation=1, now=world.now)
        world.now += timedelta(hours=1)
        world.release("bbbbbbbb")
        after = status_of(world.plan(), before, selector="pods", generation=2, now=world.now)
        since = {each.type: each.last_transition_time for each in after.conditions}

        assert since["Ready"] == since["Reconciling"] == world.now
        assert since["ConsumersHandedOver"] == START + (before.conditions[-1].last_transition_time - START)
        assert after.observed_generation == 2


class TestNotes:
    """What `kubectl get sv` tells of each version."""

    def test_they_tell_who_took_over_and_when(self):
        world = running()
        world.release("v2")
        world.settle()
        old, new = world.versions["v1"].noted, world.versions["v2"].noted

        assert new.active_until is None
        assert old.active_from < old.active_until == new.active_from
        assert old.because == "v2 (v2) took over"
        assert len(told(world, NoteActivity)) == 5  # two for the first version, three for a release

    def test_they_tell_why_a_version_failed_that_was_never_active(self):
        world = running()
        world.release("v2", Nature(gate=GateState.FAILED))
        world.settle()

        assert world.versions["v2"].noted == Noted(because="gate smoke failed")
        assert world.versions["v1"].noted.active_until is None

    def test_they_tell_why_a_version_failed_while_it_was_watched(self):
        world = running()
        world.release("v2", Nature(watched=GateState.FAILED))
        world.settle()

        assert world.versions["v2"].noted.because == "gate errors failed"
        assert world.versions["v2"].noted.active_from < world.versions["v2"].noted.active_until
        assert world.versions["v1"].noted.active_until is None

    def test_a_version_that_comes_back_begins_anew(self):
        world = running()
        world.release("v2")
        world.settle()
        before = world.versions["v1"].noted
        world.desired = replace(world.desired, pinned="v1")
        world.settle()

        assert world.versions["v1"].noted.active_from > before.active_until
        assert world.versions["v1"].noted.active_until is None


class TestPausedOrRolling:
    @pytest.mark.parametrize("step", ["at rest", "Starting", "Watching"])
    def test_an_active_service_that_is_deleted_in_a_pause_is_made_again(self, step):
        world = running()
        world.release("v2", watch=timedelta(minutes=10))
        until(world, lambda: world.status_view.step == ("Starting" if step == "at rest" else step))
        world.round()
        if step == "at rest":
            world.settle()
        before = world.active
        world.desired = replace(world.desired, paused=True)
        world.round()
        world.active, world.selected, world.active_endpoints = None, None, {}
        world.settle()

        assert world.active == before

    def test_pods_that_answer_while_they_are_replaced_one_by_one_are_counted(self):
        world = running("aaaaaaaa", rolling=True, replicas=4)
        world.release("bbbbbbbb", rolling=True, replicas=4)
        until(world, lambda: world.active == ANY)
        world.tick()
        made = world.round()
        status = status_of(made, MicroserviceStatus(), selector="pods", generation=1, now=world.now)

        ready, wanted = status.readiness.split("/")
        assert int(ready) >= int(wanted) == 4
        assert status.replicas >= 4
        assert status.active_version == "aaaaaaaa"
        assert condition(world, "Ready") == "Unknown"
