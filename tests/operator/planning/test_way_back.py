"""How many ready pods are enough for a way back, and how long it waits for them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slipway_operator.planning import plan
from slipway_operator.planning.facts import Facts, Held, OpenRelease, Stage
from slipway_operator.planning.observed import ANY, Noted, Observed, Problem, VersionView, Workload
from slipway_operator.planning.steps import ScaleServing, SwitchActive
from support.release_world import START, Nature, running, told, until, version_desired

SIZES = st.integers(1, 30)
KINDS = st.sampled_from(["Undo", "Rollback"])
DEADLINE = timedelta(seconds=300)


def looked(size, good, bad, *, kind="Undo", after=timedelta(), pods=None, problems=(), active="v2"):
    """The planner's decision: so many pods of the good version and of the bad one are ready, in the given time."""
    held = Held("v2", "GateFailed", "5xx", "f", START) if kind == "Undo" else None
    release = OpenRelease("v1", kind, 2, "f", START, Stage.RECORDING, START)
    facts = Facts(stable="v1" if kind == "Undo" else "v2", release=release, held=held)
    serving = {"http": Workload(size, size if pods is None else pods, good, good)}
    versions = {
        "v1": VersionView("v1", 1, "v1", serving, problems=problems, noted=Noted(released=True)),
        "v2": VersionView("v2", 2, "v2", {"http": Workload(size, size, bad, bad)}),
    }
    saw = Observed(facts, versions, active=active, active_endpoints={"v2": bad} if active == "v2" else {})
    wanted = version_desired("v2", fingerprint="f", replicas=size, progress_deadline=DEADLINE, pinned="v1")
    return plan(saw, replace(wanted, pinned="v1" if kind == "Rollback" else None), START + after)


def switches(*args, **changes):
    return SwitchActive("v1") in looked(*args, **changes).steps


@settings(deadline=None)
@given(SIZES, st.integers(0, 30), st.integers(0, 30), KINDS)
def test_half_of_the_pods_are_enough_at_once_and_none_never(size, good, bad, kind):
    assume(good <= size)
    if good >= size / 2:
        assert switches(size, good, bad, kind=kind)
    if not good:
        assert not switches(size, good, bad, kind=kind, after=DEADLINE * 9)


@settings(deadline=None)
@given(SIZES, st.integers(0, 30), st.integers(0, 30), KINDS)
def test_it_takes_no_more_than_half_of_the_capacity_that_answers(size, good, bad, kind):
    """Unless it is late, and nothing better came."""
    assume(good <= size and bad <= size)
    if switches(size, good, bad, kind=kind):
        assert good >= min(size / 2, bad)


@settings(deadline=None)
@given(SIZES, st.integers(0, 29), st.integers(0, 30), KINDS, st.timedeltas(timedelta(), DEADLINE * 2))
def test_more_ready_pods_never_make_it_wait(size, good, bad, kind, after):
    assume(good < size)
    if switches(size, good, bad, kind=kind, after=after):
        assert switches(size, good + 1, bad, kind=kind, after=after)


@settings(deadline=None)
@given(st.integers(2, 30), KINDS)
def test_one_pod_that_is_missing_delays_nothing(size, kind):
    assert switches(size, size - 1, size, kind=kind)


@settings(deadline=None)
@given(SIZES, st.integers(1, 30), st.sampled_from([("Undo", "v2"), ("Rollback", "v2"), ("Undo", ANY)]))
def test_who_waits_does_so_for_one_deadline_and_takes_what_is_ready(size, good, way):
    (kind, active) = way
    assume(good < size / 2)
    seen = looked(size, good, size, kind=kind, active=active, after=DEADLINE - timedelta(seconds=1))
    assert SwitchActive("v1") not in seen.steps
    assert seen.requeue_after == timedelta(seconds=1)
    assert switches(size, good, size, kind=kind, active=active, after=DEADLINE)


@settings(deadline=None)
@given(st.integers(3, 30), KINDS)
def test_pods_that_can_not_be_made_are_not_waited_for(size, kind):
    """The version that is left has the quota; it is given back after the switch."""
    quota = (Problem("ReplicaFailure", "exceeded quota", START, "http"),)

    assert switches(size, 1, size, kind=kind, pods=1, problems=quota)
    assert not switches(size, 1, size, kind=kind, pods=2, problems=quota), "one more is on its way"


def test_the_good_version_grows_after_the_switch():
    world = running(replicas=4)
    world.release("v2", watch=timedelta(minutes=10))
    until(world, lambda: world.status_view.phase == "Watching" and world.facts.release.promoted_at)
    world.versions["v1"].serving["http"].lose(1)
    world.desired = replace(world.desired, replicas=6, pinned="v1")
    world.round()  # its pods take new connections again
    made = world.round()

    assert SwitchActive("v1") in made.steps
    assert ScaleServing("v1", "http", 6) in told(world, ScaleServing)
    world.settle()
    assert (world.active, world.ready("v1")) == ("v1", 6)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_failed_gate_leaves_the_version_at_once_although_pods_are_missing(lost):
    world = running(replicas=4)
    world.release("v2", watch=timedelta(minutes=10))
    until(world, lambda: world.status_view.phase == "Watching" and world.facts.release.promoted_at)
    world.natures["v1"] = Nature(starts=False)
    world.versions["v1"].serving["http"].lose(lost)
    world.desired = replace(world.desired, pinned="v1")
    world.round()
    world.round()

    assert world.active == "v1"


def test_a_way_back_does_not_wait_for_the_record_of_what_runs():
    """Somebody deleted it, and a ConfigMap with it; the pods are there."""
    facts = Facts(stable="v1", release=OpenRelease("v1", "Undo", 2, "f", START, Stage.RECORDING, START))
    ready = {"http": Workload(2, 2, 2, 2)}
    views = {"v1": VersionView("v1", 0, "", ready, recorded=False), "v2": VersionView("v2", 2, "v2", ready)}
    saw = Observed(facts, views, active="v2", active_endpoints={"v2": 2}, missing="ConfigMap v1 is not there")

    made = plan(saw, version_desired("v1", fingerprint="f"), START)

    assert SwitchActive("v1") in made.steps
