"""Random stories: whatever happens, in whatever order, the promises hold and the world comes to rest.

The checks of each single step are in support.release_world.World.carry_out, those of a world at rest in
support.random_stories.
"""

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_operator.planning import (
    conditions,
    decisions,
    gating,
    handover,
    observed,
    permissions,
    planner,
    scaling,
    stages,
    suspension,
)
from slipway_operator.planning.desired import PlanDirective
from slipway_operator.planning.facts import Facts
from slipway_operator.planning.observed import GateState
from slipway_operator.planning.steps import NoteActivity
from support.random_stories import GATES, at_rest, stories, story
from support.release_world import Broken, Nature, World, random_nature, running, until, version_desired

STORIES_OF_A_WORLD = 100  # one after the other
PROCESSES = 2


@pytest.mark.timeout(900)
@pytest.mark.parametrize("worlds", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_many_stories_keep_every_promise(worlds):
    """One of 25 is followed by a release that must succeed, whatever the world has come to. 10,000 take some 20 s
    on two cores beside other tests.
    """
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        told = sum(pool.map(stories, range(worlds), [STORIES_OF_A_WORLD] * worlds, chunksize=10))

    assert told == STORIES_OF_A_WORLD * worlds


@given(st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_stories_that_hypothesis_makes_up(chance):
    """The same, with a search for the shortest story that breaks a promise."""
    world = World(desired=version_desired("v1"))
    story(world, chance)
    story(world, chance)


@given(st.randoms(use_true_random=False), st.timedeltas(timedelta(days=-9999), timedelta(days=9999)))
@settings(max_examples=50, deadline=None)
def test_a_plan_depends_on_no_clock_but_the_given_one(chance, shift):
    """Had everything happened at another time, the steps would be the same."""
    world, later = World(desired=version_desired("v1")), World(desired=version_desired("v1"))
    later.now += shift
    for one in (world, later):
        one.natures["v2"] = random_nature(random.Random(7))
    for number in range(60):
        if number == 20:
            world.release("v2")
            later.release("v2")
        assert world.round().steps == tuple(shifted(step, -shift) for step in later.round().steps)
        world.tick()
        later.tick()


def shifted(step, shift):
    if not isinstance(step, NoteActivity):
        return step
    noted = step.noted
    times = {name: getattr(noted, name) for name in ("active_from", "active_until")}
    return replace(step, noted=replace(noted, **{name: each and each + shift for name, each in times.items()}))


_still_there = handover._still_there


def waits_but_for_a_worker(situation, owner, others, *, forward):
    if situation.view(owner).consumer == "worker":
        return ""
    return _still_there(situation, owner, others, forward=forward)


_kstatus = conditions._kstatus


def ready_by_what_serves(situation, found, moved, phase, blocked):
    return _kstatus(situation, found, handover.Handover(), phase, blocked)


def forgets_what_was_stopped(observed, desired, facts, wanted, now):
    return facts, []


# What a careless planner would do; each must be noticed, or the checks above prove nothing.
CARELESS = {
    "new consumers do not wait for the old ones": (handover, "_still_there", lambda *_, **__: ""),
    "consumers overlap": (handover, "_exclusive", lambda s, v, **_: handover._overlapping(s, v, forward=True)),
    "a worker does not wait for the old consumers": (handover, "_still_there", waits_but_for_a_worker),
    "an old worker is not taken for a consumer": (observed, "CONSUMING", ("consumer",)),
    "a worker is stopped before the other relay is ready": (handover, "_own_relays", lambda *_: handover.Handover()),
    "no ready pod is enough for a way back": (stages, "_enough_to_return", lambda *_: True),
    "former versions are stopped while requests reach them": (scaling, "_may_stop", lambda *_: True),
    "gates are not asked": (gating, "before_promotion", lambda *_: gating.GateStatus()),
    "people are not asked": (stages, "_FORWARD", tuple(c for c in stages._FORWARD if c is not stages._promoting)),
    "nothing ever fails": (decisions, "should_fail", lambda *_: None),
    "a failed version is not held": (decisions, "_target", lambda *looked: looked[-1].version),
    "former versions are left running": (scaling, "_may_stop", lambda *_: False),
    "the preview is switched at once": (stages, "_starting", None),
    "no gate is asked at the end of the watch": (gating, "_asked_at_the_end", lambda *_: True),
    "times that lie ahead are waited for": (Facts, "until", lambda facts, _: facts),
    "what was never good is gone back to": (permissions, "was_released", lambda *_: True),
    "a pause is not seen": (planner, "_paused", None),
    "workers are not looked at": (conditions, "_kstatus", ready_by_what_serves),
    "what is stopped on purpose is taken for drift": (planner, "_suspended", planner._paused),
    "only what serves is stopped on purpose": (suspension, "workers_down", lambda _: handover.Handover()),
    "what was stopped comes back although another is wanted": (
        suspension,
        "followed",
        lambda _, __, facts, *___: (facts, []),
    ),
}


@pytest.mark.parametrize("where", CARELESS.values(), ids=CARELESS)
def test_the_stories_notice_a_careless_planner(monkeypatch, where):
    module, name, instead = where
    if name == "_starting":
        module, name = stages, "_FORWARD"
        instead = tuple(check for check in stages._FORWARD if check is not stages._starting)
    if name == "_paused":
        original = planner.plan
        instead = lambda seen, desired, now, _: original(seen, replace(desired, paused=False), now)  # noqa: E731
    monkeypatch.setattr(module, name, instead)

    with pytest.raises(Broken):
        for seed in range(300):
            stories(seed, 20)


# These need several rare things after each other, so that random stories come to them too seldom.
def promoted_once_and_tried_twice(world):
    world.release("v2", Nature(watched=GateState.FAILED), auto_promote=False, promote="v2")
    world.settle()
    world.desired = replace(world.desired, fingerprint="retry")


def waiting_for_a_plan_that_goes(world):
    world.release("v2", directive=PlanDirective("shop", "Wait", "v1", "a test"))
    world.settle()
    world.desired = replace(world.desired, directive=None)


def superseded_while_it_is_watched(world):
    world.release("v2", watch=timedelta(minutes=10))
    until(world, lambda: world.facts.release and world.facts.release.promoted_at)
    world.natures["v2"] = Nature(watched=GateState.FAILED)
    world.release("v3", auto_promote=False)


RARE = {
    "a promotion counts for every attempt": (
        promoted_once_and_tried_twice, permissions, "with_promotion", lambda _, facts: facts,
    ),
    "a plan that is gone holds nobody": (waiting_for_a_plan_that_goes, permissions, "lost_plan", lambda *_: ""),
    "a version is not watched any more when another is pushed": (
        superseded_while_it_is_watched, decisions, "_goes_on_beside", lambda *_: False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("rare", RARE.values(), ids=RARE)
def test_the_promises_notice_a_careless_planner_in_a_rare_story(monkeypatch, rare):
    happens, module, name, instead = rare

    def told():
        world = running(gates=GATES)
        happens(world)
        world.settle()
        at_rest(world)

    told()
    monkeypatch.setattr(module, name, instead)
    with pytest.raises(Broken):
        told()
