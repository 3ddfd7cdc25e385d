"""Random stories: whatever happens, in whatever order, the promises hold and the world comes to rest.

The checks of each single step are in release_world.World.carry_out.
"""

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_world import Broken, Nature, World, random_nature, version_desired
from slipway_operator.planning import decisions, gating, handover, planner, sizes, stages
from slipway_operator.planning.facts import Stage
from slipway_operator.planning.observed import ANY, JobState
from slipway_operator.planning.situation import Situation

STORIES = 100_000
WORLDS = 1000  # each lives through a hundred stories, one after the other
PROCESSES = 2


def push(world, chance):
    known = [*world.versions, world.desired.version]
    if chance.random() < 0.2:
        world.release(chance.choice(known), fingerprint=f"again{chance.random()}")
        return
    name = f"v{len(world.natures)}{chance.choice(['', '', 'g', 'w'])}"
    world.release(name, random_nature(chance), **shape(chance))


def shape(chance):
    return {
        "auto_promote": chance.random() < 0.8,
        "rolling": chance.random() < 0.25,
        "expand": chance.random() < 0.5,
        "contract": chance.random() < 0.2,
        "replicas": chance.choice([1, 2, 2, 4]),
        "scale_down_delay": timedelta(seconds=chance.choice([0, 30, 30, 90])),
    }


def autoscale(world, chance):
    world.desired = replace(world.desired, replicas=chance.choice([1, 2, 3, 5, 8]))


def lose_pods(world, chance):
    if world.versions:
        view = world.versions[chance.choice(list(world.versions))]
        for pods in [*view.serving.values(), *view.workers.values()]:
            pods.lose(chance.choice([1, 2, 9]))


def change_nature(world, chance):
    """A version that worked breaks, or one that was broken is mended from outside."""
    if world.versions:
        name = chance.choice(list(world.versions))
        world.natures[name] = random_nature(chance) if chance.random() < 0.5 else Nature()


def promote(world, chance):
    world.desired = replace(world.desired, promote=world.desired.version)


def roll_back(world, chance):
    if world.versions:
        world.desired = replace(world.desired, pinned=chance.choice([*world.versions, "gone"]))


def unpin(world, chance):
    world.desired = replace(world.desired, pinned=None)


def pause(world, chance):
    world.desired = replace(world.desired, paused=not world.desired.paused)


def edit_strategy(world, chance):
    world.desired = replace(world.desired, rolling=not world.desired.rolling)


def retry(world, chance):
    world.desired = replace(world.desired, fingerprint=f"retry{chance.random()}")


def lose_service(world, chance):
    world.active, world.behind = None, {}


def lose_broker(world, chance):
    world.broker = not world.broker


def lose_status(world, chance):
    world.facts = type(world.facts)()


def wait(world, chance):
    """Time passes while the operator is down."""
    world.tick(chance.choice([1, 2, 9]))


def work(world, chance):
    """The operator goes on for a while, and is killed at some step."""
    for _ in range(chance.choice([1, 1, 2, 4, 8])):
        world.round(killed_after=chance.choice([None, None, 0, 1, 2, 3]))
        if chance.random() < 0.8:
            world.tick()


THINGS = [
    push, push, push, autoscale, lose_pods, change_nature, promote, roll_back, unpin, pause, edit_strategy, retry,
    lose_service, lose_broker, lose_status, wait,
]  # fmt: skip


def story(world, chance):
    """A handful of things happen between looks of the operator; then nothing more, and the world must rest."""
    if world.desired.paused and chance.random() < 0.7:
        world.desired = replace(world.desired, paused=False)
    for _ in range(chance.randrange(1, 4)):
        thing = chance.choice(THINGS)
        world.story.append(f"--- {thing.__name__}")
        thing(world, chance)
        work(world, chance)
    world.broker = True
    world.settle()
    at_rest(world)
    if chance.random() < 0.1:
        a_good_version_gets_through(world)


def a_good_version_gets_through(world):
    """No state is a dead end, whatever is broken: a fix can be released from it."""
    name = f"good{len(world.natures)}"
    world.release(name, Nature(), auto_promote=True, paused=False)
    world.settle()
    if (world.active, world.facts.stable, world.facts.release) != (name, name, None):
        world.fail(f"{name} did not get through: {world.shown}")
    at_rest(world)


def at_rest(world):
    desired, facts, active = world.desired, world.facts, world.active
    assert not world.plan().steps
    if desired.paused:
        return
    if active == ANY:
        world.fail("at rest, the active Service selects all versions")
    wanted = desired.pinned if desired.pinned in world.versions else desired.version
    release = facts.release
    if release is None and active != wanted:
        reason = world.shown.blocked_by
        if active != facts.stable or not reason:
            world.fail(f"neither {wanted} nor the former version with a reason: {world.shown}")
    if release and release.accepted_at is None and release.kind != "Undo":
        if not world.shown.blocked_by:
            world.fail(f"it stands still without a reason: {world.shown}")
    nothing_left(world)


def nothing_left(world):
    """Only the active version, the stable one and the candidate have pods; workers only the active one."""
    release = world.facts.release
    may = {world.active, world.facts.stable, release.version if release else None}
    for name, view in world.versions.items():
        if name not in may and any(pods.wanted or pods.alive for pods in view.serving.values()):
            world.fail(f"{name} was left running")
        owner = world.active if not release or world.active is not None else release.version
        moving = release and name == release.version and release.reached >= Stage.HANDING_OVER
        if name != owner and not moving and any(pods.wanted for pods in view.workers.values()):
            world.fail(f"workers of {name} were left running beside {owner}")
    if any(job.state is JobState.RUNNING for job in world.jobs.values()):
        world.fail("a migration was left running")


def stories(seed, count):
    chance = random.Random(seed)
    world = World(desired=version_desired("v1"))
    for number in range(count):
        try:
            story(world, chance)
        except AssertionError as broken:
            raise Broken(f"world {seed}, story {number}: {broken}") from broken
        world.story.clear()
    return count


def test_a_hundred_thousand_stories_keep_every_promise():
    """Each ends at rest; a tenth of them is followed by a release that must succeed."""
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        told = sum(pool.map(stories, range(WORLDS), [STORIES // WORLDS] * WORLDS, chunksize=10))

    assert told == STORIES


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
        assert world.round().steps == later.round().steps
        world.tick()
        later.tick()


# What a careless planner would do; each must be noticed, or the checks above prove nothing.
CARELESS = {
    "new consumers do not wait for the old ones": (handover, "_still_there", lambda *_, **__: ""),
    "consumers overlap": (handover, "_exclusive", lambda s, v, *, forward: handover._overlapping(s, v, "consumer")),
    "one ready pod is enough, and none as well": (Situation, "enough", lambda *_: True),
    "former versions are stopped while requests reach them": (sizes, "_may_stop", lambda *_: True),
    "gates are not asked": (gating, "before_promotion", lambda *_: gating.Verdict()),
    "people are not asked": (stages, "_FORWARD", tuple(c for c in stages._FORWARD if c is not stages._promoting)),
    "nothing ever fails": (decisions, "gives_up", lambda *_: None),
    "a failed version is not held": (decisions, "_goal", lambda observed, facts, wanted: wanted.version),
    "former versions are left running": (sizes, "_may_stop", lambda *_: False),
    "the preview is switched at once": (stages, "_starting", None),
    "a pause is not seen": (planner, "_paused", None),
}


@pytest.mark.parametrize("where", CARELESS.values(), ids=CARELESS)
def test_the_stories_notice_a_careless_planner(monkeypatch, where):
    module, name, instead = where
    if name == "_starting":
        module, name = stages, "_FORWARD"
        instead = tuple(check for check in stages._FORWARD if check is not stages._starting)
    if name == "_paused":
        original = planner.plan
        instead = lambda observed, desired, now: original(observed, replace(desired, paused=False), now)  # noqa: E731
    monkeypatch.setattr(module, name, instead)

    with pytest.raises(Broken):
        for seed in range(100):
            stories(seed, 20)
