"""A result says something about its time alone: of the watch's end, of a pause, of clocks that were set back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning.desired import GateSpec
from slipway_operator.planning.facts import OpenRelease, Stage
from slipway_operator.planning.observed import GateState
from slipway_operator.planning.status import facts_of, status_of
from slipway_operator.spec.status import MicroserviceStatus
from support.release_world import START, Nature, running, until

MINUTE = timedelta(minutes=1)


def watched(**changes):
    """A world in which v2 has all requests and is watched."""
    world = running(gates=())
    world.release("v2", **changes)
    until(world, lambda: world.facts.release and world.facts.release.promoted_at)
    return world


class TestTheEndOfTheWatch:
    @pytest.mark.parametrize("seconds", [15, 45, 300, 3600])
    def test_a_gate_is_asked_at_the_end_whatever_its_interval(self, seconds):
        interval = timedelta(seconds=seconds)
        errors = GateSpec("errors", after_promotion=True, interval=interval, timeout=interval)
        world = watched(gates=(errors,), watch=5 * MINUTE)
        until(world, lambda: ("v2", "errors") in world.gates)
        world.natures["v2"].watched = GateState.FAILED
        world.settle()

        assert world.facts.history[-1].result == "Failed"
        assert world.active == "v1"

    def test_a_gate_that_decides_nothing_is_not_waited_for(self):
        errors = GateSpec("errors", after_promotion=True, dry_run=True, interval=5 * MINUTE, timeout=5 * MINUTE)
        world = watched(gates=(errors,), watch=5 * MINUTE)
        world.natures["v2"].watched = GateState.FAILED
        world.settle()

        assert world.active == world.facts.stable == "v2"

    def test_no_data_in_the_middle_of_a_long_watch_has_the_whole_time_of_the_gate(self):
        """It counted from the first run of the watch, so that one silence of Prometheus ended a release."""
        errors = GateSpec("errors", after_promotion=True, interval=MINUTE, timeout=5 * MINUTE)
        world = watched(gates=(errors,), watch=60 * MINUTE)
        until(world, lambda: world.now > START + 20 * MINUTE, limit=200)
        world.natures["v2"].watched = GateState.INCONCLUSIVE
        until(world, lambda: world.gates["v2", "errors"].state is GateState.INCONCLUSIVE)
        world.round()
        world.natures["v2"].watched = GateState.PASSED
        world.settle(limit=400)

        assert world.active == world.facts.stable == "v2"


class TestAPause:
    def test_a_gate_has_its_whole_time_after_a_pause(self):
        world = running()
        world.release("v2", Nature(gate=GateState.INCONCLUSIVE))
        until(world, lambda: ("v2", "smoke") in world.gates)
        world.desired = replace(world.desired, paused=True)
        world.round()
        world.now += 10 * MINUTE
        world.natures["v2"].gate = GateState.PASSED
        world.desired = replace(world.desired, paused=False)
        world.settle()

        assert world.active == world.facts.stable == "v2"

    def test_a_watch_has_its_whole_time_after_a_pause(self):
        world = watched(watch=5 * MINUTE)
        world.desired = replace(world.desired, paused=True)
        world.round()
        world.now += 10 * MINUTE
        world.desired = replace(world.desired, paused=False)
        resumed = world.now
        until(world, lambda: world.facts.stable == "v2", limit=200)

        assert world.facts.release is None or world.facts.release.accepted_at >= resumed + 5 * MINUTE


class TestAClockThatIsSetBack:
    def test_a_pause_of_consumers_is_never_negative(self):
        release = OpenRelease("bbbbbbbb", "Release", 2, "bbbbbbbb", START, Stage.CONTRACTING, START)
        world = running("aaaaaaaa")
        odd = replace(release, handover_started=START, handover_ended=START - MINUTE, accepted_at=START)
        world.facts = replace(world.facts, stable="aaaaaaaa", release=odd)
        made = world.plan()

        assert odd.handover_pause_ms == 0
        assert status_of(made, MicroserviceStatus(), selector="", generation=1, now=world.now)

    @pytest.mark.parametrize("back", [MINUTE, timedelta(hours=1), timedelta(days=400)], ids=["m", "h", "year"])
    @pytest.mark.parametrize("step", ["Starting", "Checking", "HandingOver", "Watching", "Draining"])
    def test_a_release_takes_no_longer_than_with_a_right_clock(self, step, back):
        world = running()
        world.release("v2")
        until(world, lambda: world.status_view.step == step)
        world.now -= back
        set_back = world.now
        world.settle()

        assert world.active == world.facts.stable == "v2"
        assert world.now < set_back + 10 * MINUTE

    @pytest.mark.parametrize("decision", ["fix", "rollback"])
    def test_nothing_of_the_past_keeps_a_fix_or_a_rollback_from_happening(self, decision):
        world = running()
        world.release("v2")
        until(world, lambda: world.facts.release and world.facts.release.handover_started)
        world.now -= timedelta(hours=1)
        world.round()
        if decision == "fix":
            world.release("v3")
        else:
            world.desired = replace(world.desired, pinned="v1")
        world.settle()

        assert world.active == world.facts.stable == ("v3" if decision == "fix" else "v1")
        assert all((each.handover_pause_ms or 0) >= 0 for each in world.facts.history)

    def test_words_for_people_that_are_too_long_are_cut_and_not_refused(self):
        long = "x" * 2000
        status = MicroserviceStatus.model_validate(
            {
                "stableVersion": "aaaaaaaa",
                "step": long,
                "blockedBy": long,
                "heldVersion": {
                    "version": "bbbbbbbb",
                    "reason": long,
                    "message": long,
                    "fingerprint": "bbbbbbbb",
                    "at": START,
                },
            }
        )

        assert facts_of(status).held.version == "bbbbbbbb"
        assert (len(status.held_version.reason), len(status.held_version.message)) == (64, 1024)
