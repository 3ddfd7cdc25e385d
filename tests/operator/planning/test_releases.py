"""Releases as people know them, one story each; and the stories that went wrong elsewhere."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slipway_operator.planning import decisions, plan
from slipway_operator.planning.desired import GateWish
from slipway_operator.planning.facts import Facts, Stage
from slipway_operator.planning.observed import ANY, GateState, Noted, Observed
from slipway_operator.planning.remembering import facts_of, status_of
from slipway_operator.planning.steps import (
    Emit,
    ForgetVersion,
    MarkDraining,
    NoteActivity,
    RecordVersion,
    RunGate,
    ScaleServing,
    ScaleWorkers,
    SelectPreview,
    StartMigration,
    SwitchActive,
    UnmarkDraining,
)
from slipway_operator.planning.windows import closed_because
from slipway_operator.spec.status import MicroserviceStatus
from slipway_operator.spec.strategy import PromotionWindow
from support.release_world import START, TICK, Nature, World, running, version_desired


def told(world, *kinds):
    return [step for step in world.story if isinstance(step, kinds)]


def until(world, reached, limit=60):
    """The operator works until something is so."""
    for _ in range(limit):
        if reached():
            return
        world.round()
        world.tick()
    pytest.fail(f"never reached: {world.shown}")


def condition(world, kind):
    found = [each for each in world.shown.conditions if each.type == kind]
    return found[0].status if found else None


class TestBlueGreen:
    def test_the_first_version_is_installed_without_waiting_for_a_person(self):
        world = running(auto_promote=False)

        assert world.active == "v1"
        assert world.facts.stable == "v1"
        assert world.shown.phase == "Released"
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
            ({"gates": (GateWish("errors", after_promotion=True),)}, [2]),
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
        until(world, lambda: world.shown and world.shown.phase == "Waiting")
        world.desired = replace(world.desired, replicas=5)
        world.settle()

        assert world.ready("v1") == world.ready("v2") == 5

    def test_a_person_promotes(self):
        world = running()
        world.release("v2", auto_promote=False)
        world.settle()

        assert world.active == "v1"
        assert world.shown.phase == "Waiting"
        assert "release.promote" in world.shown.blocked_by
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
        until(world, lambda: world.shown.phase == "Waiting")

        assert "promotion window" in world.shown.blocked_by
        world.now = START + timedelta(minutes=61)
        world.settle()
        assert world.active == "v2"

    def test_kept_alive_connections_are_moved_while_the_old_version_stays_up(self):
        world = running()
        world.release("v2", watch=timedelta(seconds=120))
        until(world, lambda: world.shown.phase == "Watching" and world.versions["v1"].draining)

        assert world.ready("v1") == 2

    def test_the_old_version_goes_after_its_delay(self):
        world = running()
        world.release("v2", scale_down_delay=timedelta(seconds=90))
        until(world, lambda: world.shown.phase == "Finishing")
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

        assert world.shown.phase == "Waiting"
        assert world.facts.held is None


class TestWorkers:
    def test_an_overlapping_group_is_never_without_a_consumer(self):
        world = running(exclusive=False)
        world.release("v2", exclusive=False)
        while world.active != "v2":
            world.round()
            assert world.consuming()
            world.tick()
        world.settle()

        assert world.consuming() == {"v2"}

    def test_relays_overlap_so_that_no_row_of_the_outbox_waits(self):
        world = running()
        world.release("v2")
        while world.active != "v2":
            world.round()
            world.tick()
            assert any(version.workers["relay"].ready for version in world.versions.values())

    def test_new_consumers_wait_for_members_that_linger(self):
        """A killed consumer stays a member until its session ends; its pod is gone long before."""
        world = running()
        world.release("v2", progress_deadline=timedelta(seconds=300))
        until(world, lambda: ScaleWorkers("v1", "consumer", 0) in world.story)
        world.members = {"v1": 1}
        made = world.round()

        assert ScaleWorkers("v2", "consumer", 1) not in made.steps
        assert "the consumer group has 1 members of v1" in world.shown.blocked_by

    def test_a_stranger_in_the_group_is_named(self):
        world = running()
        world.release("v2")
        until(world, lambda: ScaleWorkers("v1", "consumer", 0) in world.story)
        world.tick()
        world.members = {"": 2}
        world.round()

        assert "2 members that belong to no version of this service: stop them" in world.shown.blocked_by

    def test_offsets_are_committed_first(self):
        world = running()
        world.settled = False
        world.release("v2")
        until(world, lambda: world.shown and "committed its offsets" in world.shown.blocked_by)

        assert ScaleWorkers("v2", "consumer", 1) not in world.story

    def test_a_broker_that_does_not_answer_sends_everything_back_and_consumption_goes_on(self):
        world = running()
        world.release("v2")
        until(world, lambda: ScaleWorkers("v1", "consumer", 0) in world.story)
        world.broker = False
        world.settle()

        assert world.shown.phase == "Failed"
        assert world.consuming() == {"v1"}

    def test_consumers_that_do_not_start_send_everything_back(self):
        world = running()
        world.release("v2", Nature(consumes=False))
        world.settle()

        assert world.active == "v1"
        assert world.consuming() == {"v1"}
        assert "consumers of v2 are ready" in world.facts.held.message
        assert not world.versions["v2"].workers["consumer"].alive

    def test_a_version_without_workers_stops_those_of_the_old_one(self):
        world = running()
        world.release("v2w")
        world.settle()

        assert world.active == "v2w"
        assert world.consuming() == set()


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
        assert world.shown.phase == "Failed"
        assert world.facts.held.version == "v2"
        assert "v2 is held" in world.shown.blocked_by
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
        until(world, lambda: world.shown.phase == "Watching" and world.facts.release.promoted_at)
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
        assert "contract migration failed" in world.shown.blocked_by
        world.natures["v2"] = Nature()
        world.desired = replace(world.desired, fingerprint="retry")
        world.settle()
        assert world.shown.phase == "Released"
        assert world.facts.history[-1].result == "Succeeded"

    def test_a_first_version_waits_on_and_says_that_it_is_stuck(self):
        """Its database may come later; there is nothing to go back to."""
        world = World(natures={"v1": Nature(starts=False)})
        for _ in range(20):
            world.round()
            world.tick()
        assert condition(world, "Stalled") == "True"
        assert "image not found" in world.shown.blocked_by

        world.natures["v1"] = Nature()
        world.settle()
        assert world.active == "v1"
        assert world.shown.phase == "Released"


class TestRollback:
    def test_it_is_one_switch_while_the_old_version_is_up(self):
        world = running()
        world.release("v2", scale_down_delay=timedelta(seconds=3600))
        until(world, lambda: world.shown.phase == "Finishing")
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

        assert world.shown.phase == "Blocked"
        assert world.shown.blocked_by == "release.activeVersion names aaaaaaaa, which is not kept; kept: v1"

    def test_no_version_comes_back_below_the_floor_of_the_schema(self):
        world = running()
        world.release("v2", contract=True)
        world.settle()
        world.desired = replace(world.desired, pinned="v1")
        world.settle()

        assert world.active == "v2"
        assert "can't come back: the contract migration of v2" in world.shown.blocked_by

    def test_what_could_answer_is_not_taken_away_when_the_target_dies(self):
        """With Rolling, the stable version gives its pods up after the switch; not when they are the last."""
        world = running(rolling=True)
        world.release("v2")
        world.settle()
        world.desired = replace(world.desired, pinned="v1")
        until(world, lambda: world.active == "v1")
        world.versions["v1"].serving["http"].lose(9)
        world.behind = {"v1": 2}
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
        assert world.shown.phase == "Paused"
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


class TestPeersBugs:
    def test_argo_rollouts_4750_the_active_service_is_never_empty(self):
        """Blackout: the selector pointed at a version that was scaled to 0."""
        world = running()
        world.release("v2")
        world.settle()
        world.active, world.behind = "v1", {}  # somebody wrote the selector of a version that is down
        world.tick()
        world.round()

        assert world.active == "v2"

    def test_requests_are_rescued_before_anything_is_scaled(self):
        """A Deployment that the API server refuses would else keep requests without an answer until the deadline."""
        world = running()
        world.release("v2", auto_promote=False)
        world.settle()
        world.active, world.behind = None, {}  # somebody deleted the active Service
        world.versions["v2"].serving["http"].scale(0)
        made = world.plan()

        # And the consumers of the stable version go on, whatever happened to a Service.
        assert made.steps == (SwitchActive("v1"), ScaleServing("v2", "http", 1))

    @pytest.mark.parametrize("way", ["deadline", "abort"])
    def test_argo_rollouts_4128_an_image_that_can_not_be_pulled_ends_a_release(self, way):
        """Abort and deadline did nothing while pods were in ImagePullBackOff."""
        world = running()
        world.release("v2", Nature(starts=False))
        until(world, lambda: world.shown.step == "Starting")
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
        world.active, world.selected, world.behind = None, None, {}
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
        assert world.shown.phase == "Released"
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
        found = decisions.target(world.observe(), world.desired, "v2")

        assert found.version == "v2"
        assert found.refused == "release.activeVersion names v1, which is not kept; kept: v2"


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
        assert len(told(world, NoteActivity)) == 3  # one for the first version, two for a release

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


class TestConfiguration:
    def test_what_is_missing_is_named_and_waited_for(self):
        world = running()
        world.release("v2")
        seen = replace(world.observe(), missing="ConfigMap orders does not exist")
        made = plan(seen, world.desired, world.now)

        assert made.steps == (Emit("ReleaseStarted", "Release of v2 begins"),)
        assert "ConfigMap orders does not exist" in made.shown.blocked_by
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
        assert made.shown.step == "Recording"


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


@pytest.mark.parametrize(
    ("window", "moment", "open_"),
    [
        ({"from_": "09:00", "to": "17:00"}, "2026-01-05T12:00", True),
        ({"from_": "09:00", "to": "17:00"}, "2026-01-05T17:00", False),
        ({"from_": "09:00", "to": "17:00", "days": ("Tue",)}, "2026-01-05T12:00", False),
        ({"from_": "22:00", "to": "02:00", "days": ("Mon",)}, "2026-01-05T23:00", True),
        ({"from_": "22:00", "to": "02:00", "days": ("Mon",)}, "2026-01-06T01:00", True),
        ({"from_": "22:00", "to": "02:00", "days": ("Mon",)}, "2026-01-06T23:00", False),
        ({"from_": "13:00", "to": "14:00", "time_zone": "Europe/Berlin"}, "2026-01-05T12:30", True),
        ({"from_": "00:00", "to": "23:59", "time_zone": "Mars/Olympus"}, "2026-01-05T12:30", False),
    ],
)
def test_promotion_windows(window, moment, open_):
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert (closed_because(PromotionWindow(**window), now) == "") is open_


def test_a_tick_is_shorter_than_the_deadlines():
    assert version_desired("v1").progress_deadline > TICK * 3
