"""Stopped on purpose: what is taken down stays down, whatever is released, rolled back or restarted meanwhile."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning.observed import GateState
from slipway_operator.planning.status import facts_of, status_of
from slipway_operator.planning.steps import ScaleServing, ScaleWorkers
from slipway_operator.spec.status import MicroserviceStatus
from support.release_world import Nature, condition, running, told, until

STOPS = ["Workers", "All"]


def suspended(world, what="All"):
    world.desired = replace(world.desired, suspend=what)
    world.settle()
    return world


def resume(world, **changes):
    world.desired = replace(world.desired, suspend="None", **changes)
    world.settle()


def alive(world, *, workers_only=False):
    """Versions of which a process runs."""
    return {
        name
        for name, view in world.versions.items()
        if any(pods.alive for pods in [*view.workers.values(), *(() if workers_only else view.serving.values())])
    }


def started(world, version):
    return [s for s in told(world, ScaleServing, ScaleWorkers) if s.version == version and s.replicas]


def push(world):
    world.release("v2")


def push_twice(world):
    world.release("v2")
    world.settle()
    world.release("v3")


def roll_back(world):
    world.desired = replace(world.desired, pinned="v0")


def autoscale(world):
    world.desired = replace(world.desired, replicas=7)


def restart(world):
    """Its memory is what the status can hold."""
    former = MicroserviceStatus()
    written = status_of(world.plan(), former, selector="", generation=1, now=world.now)
    world.facts = facts_of(MicroserviceStatus.model_validate(written.model_dump(by_alias=True, mode="json")))


def lose_status(world):
    world.facts = type(world.facts)()


def pause(world):
    world.desired = replace(world.desired, paused=True)


def with_former(**changes):
    world = running("v0", **changes)
    world.release("v1")
    world.settle()
    return world


@pytest.mark.parametrize("what", STOPS)
@pytest.mark.parametrize(
    "happens", [push, push_twice, roll_back, autoscale, lose_status, pause], ids=lambda each: each.__name__
)
def test_it_stays_down_whatever_happens(what, happens):
    world = suspended(with_former(), what)
    assert alive(world, workers_only=what == "Workers") == set()
    world.story.clear()
    happens(world)
    world.settle()
    world.tick(20)
    world.settle()

    starts = told(world, ScaleServing, ScaleWorkers) if what == "All" else told(world, ScaleWorkers)
    assert [step for step in starts if step.replicas] == []
    assert alive(world, workers_only=what == "Workers") == set()
    assert condition(world, "Suspended") == "True"


class TestRestore:
    """docs/backup.md, "Restore a database"."""

    @pytest.mark.parametrize("looks", range(6))
    @pytest.mark.parametrize("changes", [{}, {"auto_promote": False}, {"rolling": True}], ids=str)
    def test_the_version_on_the_old_database_is_never_seen_again(self, looks, changes):
        world = running(replicas=4, **changes)
        world.desired = replace(world.desired, suspend="All")
        for _ in range(looks):
            world.round()
            world.tick()
        world.release("v2", **changes)  # bound to the restored database
        world.settle()
        assert "v2 is started when it is None, and v1 (v1) is not" in world.status_view.blocked_by
        world.story.clear()
        resume(world)

        assert started(world, "v1") == []
        assert (world.active, world.facts.stable, world.consuming()) == ("v2", "v2", {"v2"})
        assert world.facts.stopped_version is None
        assert world.ready("v2") == 4

    @pytest.mark.parametrize(
        "nature",
        [Nature(starts=False), Nature(migrates=False), Nature(gate=GateState.FAILED), Nature(consumes=False),
         Nature(watched=GateState.FAILED)],
        ids=["starts", "migrates", "gate", "consumes", "watched"],
    )  # fmt: skip
    def test_nor_when_the_next_one_is_no_good(self, nature):
        world = suspended(running())
        world.release("v2", nature)
        world.settle()
        world.story.clear()
        world.desired = replace(world.desired, suspend="None")
        for _ in range(60):
            world.round()
            world.tick()

        assert started(world, "v1") == []
        world.release("v3")  # the fix
        world.settle()
        assert started(world, "v1") == []
        assert (world.active, world.consuming()) == ("v3", {"v3"})

    def test_nor_when_the_operator_starts_again_in_between(self):
        former, wanted = "aaaaaaa1", "bbbbbbb2"
        world = suspended(running(former))
        world.release(wanted)
        for _ in range(3):
            world.round()
            restart(world)
            world.tick()
        world.story.clear()
        world.desired = replace(world.desired, suspend="None")
        for _ in range(30):
            world.round()
            restart(world)
            world.tick()

        assert started(world, former) == []
        assert world.active == wanted

    def test_nor_while_the_release_is_paused(self):
        world = suspended(running())
        world.release("v2", paused=True)
        world.settle()
        world.story.clear()
        resume(world)
        assert told(world, ScaleServing, ScaleWorkers) == []

        resume(world, paused=False)
        assert started(world, "v1") == []
        assert world.active == "v2"

    def test_a_person_who_names_it_gets_it(self):
        world = suspended(running())
        world.release("v2", Nature(starts=False))
        world.settle()
        resume(world, pinned="v1")

        assert (world.active, world.facts.stable, world.consuming()) == ("v1", "v1", {"v1"})

    def test_a_push_that_is_taken_back_before_the_start_changes_nothing(self):
        world = suspended(running())
        world.release("v2")
        world.settle()
        world.release("v1")
        world.settle()
        resume(world)

        assert (world.active, world.facts.stable, world.facts.release) == ("v1", "v1", None)
        assert world.consuming() == {"v1"}


class TestOverNight:
    """To save cost: afterwards it goes on as it was."""

    @pytest.mark.parametrize("what", STOPS)
    def test_a_version_at_rest_comes_back(self, what):
        world = suspended(running(), what)
        world.now += timedelta(hours=9)
        resume(world)

        assert (world.active, world.ready("v1"), world.consuming()) == ("v1", 2, {"v1"})
        assert world.status_view.phase == "Released"
        assert condition(world, "Ready") == "True"
        assert condition(world, "Suspended") is None

    @pytest.mark.parametrize("rounds", range(1, 26, 2))
    @pytest.mark.parametrize("what", STOPS)
    def test_a_release_goes_on_and_no_deadline_has_passed(self, what, rounds):
        world = running()
        world.release("v2", watch=timedelta(seconds=60))
        for _ in range(rounds):
            world.round()
            world.tick()
        suspended(world, what)
        world.now += timedelta(hours=9)
        resume(world)

        assert world.facts.held is None
        assert (world.active, world.facts.stable, world.consuming()) == ("v2", "v2", {"v2"})

    def test_what_waits_for_a_person_still_does(self):
        world = running()
        world.release("v2", auto_promote=False)
        world.settle()
        suspended(world)
        resume(world)

        assert (world.active, world.status_view.phase) == ("v1", "Waiting")

    def test_a_held_version_stays_held(self):
        world = running()
        world.release("v2", Nature(gate=GateState.FAILED))
        world.settle()
        suspended(world)
        resume(world)

        assert (world.active, world.facts.held.version, world.consuming()) == ("v1", "v2", {"v1"})


class TestWhatIsSaid:
    def test_all_is_not_ready_and_not_stalled(self):
        world = suspended(running())

        assert world.status_view.phase == "Suspended"
        assert [condition(world, each) for each in ("Ready", "Reconciling", "Stalled")] == ["False", None, None]
        assert "all processes are stopped on purpose" in world.status_view.blocked_by

    def test_requests_go_on_without_workers(self):
        world = suspended(running(), "Workers")

        assert (world.status_view.phase, world.ready("v1")) == ("Released", 2)
        assert condition(world, "Ready") == "True"
        assert condition(world, "Suspended") == "True"

    def test_a_release_without_workers_tells_no_pause(self):
        world = suspended(running(), "Workers")
        world.release("v2")
        world.settle()

        assert world.active == "v2"
        assert world.facts.history[-1].handover_pause_ms is None

    def test_begin_and_end_are_events(self):
        world = running()
        for what in ("All", "Workers", "None"):
            suspended(world, what)

        assert [step.reason for step in world.events if step.reason in {"Suspended", "Resumed"}] == [
            "Suspended", "Suspended", "Resumed",
        ]  # fmt: skip

    def test_what_still_ends_is_told(self):
        world = running()
        world.desired = replace(world.desired, suspend="All")
        world.round()
        world.round()

        assert "pods have not ended yet" in world.status_view.blocked_by
        until(world, lambda: not alive(world))
