"""Releases as people know them, one story each: blue-green, rolling, superseded and paused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning.desired import GateSpec
from slipway_operator.planning.observed import ANY
from slipway_operator.planning.steps import (
    Emit,
    ForgetVersion,
    MarkDraining,
    NoteActivity,
    RecordVersion,
    RenewPods,
    RunGate,
    ScaleServing,
    ScaleWorkers,
    SelectPreview,
    StartMigration,
    SwitchActive,
)
from slipway_operator.spec.strategy import PromotionWindow
from support.release_world import START, TICK, Nature, condition, running, told, until, version_desired


def accepted(world):
    return world.facts.stable == world.active


class TestBlueGreen:
    def test_the_first_version_is_installed_without_waiting_for_a_person(self):
        world = running(auto_promote=False)

        assert world.active == "v1"
        assert world.facts.stable == "v1"
        assert world.status_view.phase == "Released"
        assert condition(world, "Ready") == "True"
        assert world.facts.history[-1].kind == "Install"

    def test_the_order_of_a_release(self):
        """Each effect comes when the one before it was seen, never earlier."""
        world = running()
        world.story.clear()
        world.release("v2", contract=True)
        world.settle()

        steps = [step for step in world.story if not isinstance(step, (str, Emit, NoteActivity))]
        assert steps == [
            RecordVersion("v2", 2),
            StartMigration("v2", "expand", 2),
            ScaleServing("v2", "http", 1),
            SelectPreview("v2"),
            RunGate("smoke", "v2", 2, 1),
            ScaleServing("v2", "http", 2),
            ScaleWorkers("v1", "consumer", 0),
            ScaleWorkers("v2", "consumer", 1),
            ScaleWorkers("v2", "relay", 1),
            ScaleWorkers("v1", "relay", 0),
            SwitchActive("v2"),
            RunGate("errors", "v2", 2, 1),
            MarkDraining("v1"),
            RunGate("errors", "v2", 2, 2),
            SelectPreview(None),
            ScaleServing("v1", "http", 0),
            *steps[-2:],
        ]
        assert [type(step).__name__ for step in steps[-2:]] == ["RetireVersion", "StartMigration"]
        [ended] = world.facts.history[1:]
        assert (ended.version, ended.result) == ("v2", "Succeeded")
        assert ended.handover_pause_ms == 45_000

    def test_the_candidate_starts_at_the_size_the_active_version_has_now(self):
        world = running(replicas=2)
        world.desired = replace(world.desired, replicas=8)  # the autoscaler
        world.settle()
        world.release("v2", replicas=2)
        until(world, lambda: world.active == "v2")

        assert world.ready("v2") == 8
        assert world.ready("v1") == 8
        world.settle()
        assert world.versions["v2"].serving["http"].wanted == 2

    @pytest.mark.parametrize(
        ("changes", "sizes"),
        [
            ({"gates": ()}, [2]),
            ({"gates": (GateSpec("errors", after_promotion=True),)}, [2]),
            ({}, [1, 2]),
            ({"gates": (), "auto_promote": False, "promote": "v2"}, [1, 2]),
        ],
        ids=["nobody looks", "only afterwards", "a gate looks", "a person looks"],
    )
    def test_all_pods_start_at_once_where_nobody_looks_first(self, changes, sizes):
        world = running()
        world.release("v2", **changes)
        until(world, lambda: world.active == "v2")

        assert [step.replicas for step in told(world, ScaleServing) if step.version == "v2"] == sizes

    def test_an_autoscaler_changes_both_in_the_middle_of_a_release(self):
        world = running()
        world.release("v2", auto_promote=False)
        until(world, lambda: world.status_view and world.status_view.phase == "Waiting")
        world.desired = replace(world.desired, replicas=5)
        world.settle()

        assert world.ready("v1") == world.ready("v2") == 5

    def test_a_person_promotes(self):
        world = running()
        world.release("v2", auto_promote=False)
        world.settle()

        assert world.active == "v1"
        assert world.status_view.phase == "Waiting"
        assert "release.promote" in world.status_view.blocked_by
        assert condition(world, "Ready") == "True"
        assert condition(world, "Released") == "False"
        assert world.consuming() == {"v1"}
        world.desired = replace(world.desired, promote="v2")
        world.settle()
        assert world.active == "v2"

    def test_promoting_another_version_promotes_nothing(self):
        world = running()
        world.release("v2", auto_promote=False, promote="v1")
        world.settle()

        assert world.active == "v1"

    def test_a_version_waits_for_its_window(self):
        world = running()
        world.release("v2", window=PromotionWindow(from_="13:00", to="14:00"))
        until(world, lambda: world.status_view.phase == "Waiting")

        assert "promotion window" in world.status_view.blocked_by
        world.now = START + timedelta(minutes=61)
        world.settle()
        assert world.active == "v2"

    def test_kept_alive_connections_are_moved_while_the_old_version_stays_up(self):
        world = running()
        world.release("v2", watch=timedelta(seconds=120))
        until(world, lambda: world.status_view.phase == "Watching" and world.versions["v1"].draining)

        assert world.ready("v1") == 2

    @pytest.mark.parametrize("closes", [True, False])
    def test_no_client_stays_with_the_old_version(self, closes):
        world = running()
        world.natures["v1"].closes = closes
        world.release("v2", watch=timedelta(seconds=120))
        until(world, lambda: world.status_view.phase == "Watching" and not world.versions["v1"].clients)

        assert world.ready("v1") == 2
        assert len(told(world, RenewPods)) == (0 if closes else 1)
        world.settle()
        assert len(told(world, RenewPods)) == (0 if closes else 1)

    def test_pods_that_go_at_once_are_not_replaced_before(self):
        world = running()
        world.natures["v1"].closes = False
        world.release("v2", watch=timedelta(0), scale_down_delay=timedelta(0), gates=())
        world.settle()

        assert world.active == "v2"
        assert told(world, RenewPods) == []

    def test_pods_are_replaced_at_each_way(self):
        world = running()
        world.release("v2", Nature(closes=False), watch=timedelta(seconds=120), scale_down_delay=timedelta(days=1))
        world.natures["v1"].closes = False
        for pinned in ("v1", None, "v1"):
            until(world, lambda pinned=pinned: world.active == ("v2" if pinned else "v1") and accepted(world))
            world.desired = replace(world.desired, pinned=pinned)
        until(world, lambda: world.active == "v1" and not world.versions["v2"].clients)

        assert [step.version for step in told(world, RenewPods)] == ["v1", "v2", "v1", "v2"]

    def test_the_old_version_goes_after_its_delay(self):
        world = running()
        world.release("v2", scale_down_delay=timedelta(seconds=90))
        until(world, lambda: world.status_view.phase == "Finishing")
        accepted = world.now
        until(world, lambda: not world.versions["v1"].serving["http"].alive)

        assert world.now - accepted >= timedelta(seconds=90)

    def test_old_records_are_forgotten_and_a_number_is_kept(self):
        world = running(history=2)
        for number in range(2, 7):
            world.release(f"v{number}")
            world.settle()

        assert set(world.versions) == {"v4", "v5", "v6"}
        assert told(world, ForgetVersion)[0] == ForgetVersion("v1")

    def test_a_version_at_rest_needs_nothing(self):
        world = running()
        for _ in range(5):
            made = world.round()
            assert made.steps == ()
            assert made.requeue_after is None
            world.tick()

    def test_a_lost_pod_of_a_waiting_candidate_is_no_failure(self):
        world = running()
        world.release("v2", auto_promote=False)
        world.settle()
        world.now += timedelta(days=3)
        world.versions["v2"].serving["http"].lose(9)
        world.settle()

        assert world.status_view.phase == "Waiting"
        assert world.facts.held is None


class TestSupersede:
    @pytest.mark.parametrize("rounds", range(1, 30))
    def test_a_newer_spec_takes_over_at_any_moment(self, rounds):
        world = running()
        world.release("v2")
        for _ in range(rounds):
            world.round()
            world.tick()
        world.release("v3")
        world.settle()

        assert world.active == world.facts.stable == "v3"
        assert not world.versions["v2"].serving["http"].alive
        assert not world.versions["v2"].workers["consumer"].alive
        assert world.consuming() == {"v3"}

    @pytest.mark.parametrize("rounds", range(1, 30))
    def test_the_old_spec_again_takes_everything_back(self, rounds):
        world = running()
        world.release("v2", auto_promote=True)
        for _ in range(rounds):
            world.round()
            world.tick()
        world.release("v1")
        world.settle()

        assert world.active == world.facts.stable == "v1"
        assert world.consuming() == {"v1"}

    def test_migrations_never_run_at_the_same_time(self):
        world = running()
        world.release("v2")
        until(world, lambda: StartMigration("v2", "expand", 2) in world.story)
        world.jobs["v2", "expand"] = replace(world.jobs["v2", "expand"], state=world.jobs["v1", "expand"].state)
        world.release("v3")
        world.settle()
        assert world.active == "v3"


class TestPause:
    @pytest.mark.parametrize("rounds", range(1, 25))
    def test_a_paused_release_stands_still_and_consumption_goes_on(self, rounds):
        world = running()
        world.release("v2")
        for _ in range(rounds):
            world.round()
            world.tick()
        active = world.active
        world.desired = replace(world.desired, paused=True)
        world.settle()

        assert world.active == active
        assert len(world.consuming()) == 1
        assert world.status_view.phase == "Paused"
        world.now += timedelta(days=1)
        world.desired = replace(world.desired, paused=False)
        world.settle()
        assert world.active == world.facts.stable == "v2"


class TestRolling:
    def test_capacity_never_falls_and_never_doubles(self):
        world = running(replicas=8, rolling=True)
        world.release("v2")
        most = 0
        while world.active != "v2":
            world.round()
            ready = world.ready("v1") + world.ready("v2")
            most = max(most, ready)
            assert ready >= 8
            world.tick()
        world.settle()

        assert most <= 8 + 2 + 1
        assert SwitchActive(ANY) in world.story
        assert world.ready("v2") == 8
        assert not world.versions["v1"].serving["http"].alive

    def test_it_is_undone_when_the_new_version_stops_starting(self):
        world = running(replicas=8, rolling=True)
        world.release("v2")
        until(world, lambda: world.active == ANY and world.ready("v2") >= 4)
        world.natures["v2"] = Nature(starts=False)
        world.settle()

        assert world.active == "v1"
        assert world.ready("v1") == 8

    def test_a_fix_need_not_wait_for_a_stable_version_that_broke_while_pods_were_replaced(self):
        world = running(replicas=8, rolling=True)
        world.release("v2")
        until(world, lambda: world.active == ANY and world.ready("v2") >= 4)
        world.natures["v1"] = Nature(starts=False, consumes=False)
        world.release("v3")
        world.settle()

        assert world.active == world.facts.stable == "v3"
        assert world.consuming() == {"v3"}


def test_a_tick_is_shorter_than_the_deadlines():
    assert version_desired("v1").progress_deadline > TICK * 3
