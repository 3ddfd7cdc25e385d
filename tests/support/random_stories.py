"""Random stories for release_world: what people, clusters and clocks do to a release, in any order."""

import gc
import random
from dataclasses import replace
from datetime import timedelta

from slipway_operator.planning.desired import PlanDirective
from slipway_operator.planning.facts import Stage
from slipway_operator.planning.observed import ANY, JobState, Noted
from slipway_operator.planning.steps import RunGate, ScaleServing, ScaleWorkers, SelectPreview
from support import stopped_on_purpose
from support.release_world import Broken, Nature, World, condition, random_nature, version_desired
from support.world_pods import Pods

GATES = version_desired("any").gates
# No deadline of these worlds is longer: who waits longer waits for a clock.
LONGEST_WAIT = timedelta(minutes=15)
READY = Pods(ready=1)


def push(world, chance):
    known = [*world.versions, world.desired.version]
    if chance.random() < 0.2:
        world.release(chance.choice(known), fingerprint=f"again{chance.random()}")
        return
    name = f"v{len(world.natures)}{chance.choice(['', '', '', 'g', 'w', 'm', 'm', 'm', 'r', 'c'])}"
    world.release(name, random_nature(chance), **shape(chance))


def shape(chance):
    return {
        "auto_promote": chance.random() < 0.8,
        "rolling": chance.random() < 0.25,
        "expand": chance.random() < 0.5,
        "contract": chance.random() < 0.2,
        "replicas": chance.choice([1, 2, 2, 4]),
        "scale_down_delay": timedelta(seconds=chance.choice([0, 30, 30, 90])),
        "gates": chance.choice([(), GATES, GATES, GATES]),
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
    promoted_as = chance.choice(["", f"word{chance.random()}"])
    world.desired = replace(world.desired, promote=world.desired.version, promoted_as=promoted_as)


def roll_back(world, chance):
    if world.versions:
        pinned = chance.choice([*world.versions, "gone"])
        unreleased = pinned if chance.random() < 0.3 else None
        world.desired = replace(world.desired, pinned=pinned, unreleased=unreleased)


def unpin(world, chance):
    world.desired = replace(world.desired, pinned=None)


def pause(world, chance):
    world.desired = replace(world.desired, paused=not world.desired.paused)


def suspend(world, chance):
    """Everything is stopped on purpose, or what handles events; or it is started again."""
    world.desired = replace(world.desired, suspend=chance.choice(["None", "Workers", "All"]))


def break_workers(world, chance):
    """Consumers or relays of a version crash from now on, whatever serves."""
    if world.versions:
        name = chance.choice(list(world.versions))
        component = chance.choice(["consumer", "worker", "relay"])
        says_why = (component,) if chance.random() < 0.5 else ()
        alive = {"consumes": component == "relay", "relays": component != "relay"}
        world.natures[name] = replace(world.nature(name), crashing=says_why, **alive)


def edit_strategy(world, chance):
    world.desired = replace(world.desired, rolling=not world.desired.rolling)


def retry(world, chance):
    world.desired = replace(world.desired, fingerprint=f"retry{chance.random()}")


def plan_says(world, chance):
    """A ReleasePlan begins, goes on, fails, or is deleted."""
    order = chance.choice(["Hold", "Wait", "Go", "Go", "Return", None])
    former = world.desired.directive
    came_from = former.came_from if former and chance.random() < 0.8 else world.facts.stable or ""
    world.desired = replace(
        world.desired, directive=PlanDirective("shop", order, came_from, "a test") if order else None
    )


def lose_service(world, chance):
    world.active, world.selected, world.active_endpoints = None, None, {}


def lose_broker(world, chance):
    world.broker = not world.broker


def lose_status(world, chance):
    """Who waited for a plan, and which word is spent, is kept nowhere else; and who stays down, until it is down."""
    world.facts = type(world.facts)()
    world.planned = world.spent = None
    for name in world.left_behind & set(world.versions):
        view = world.versions[name]
        if any(pods.wanted for pods in [*view.serving.values(), *view.workers.values()]):
            world.left_behind.discard(name)


def lose_record(world, chance):
    """Somebody deletes a record: what runs goes on running."""
    if world.versions:
        name = chance.choice(list(world.versions))
        view = world.versions[name]
        for key in [key for key in world.gates if key[0] == name]:
            del world.gates[key]
        world.lost.add(name)
        view.recorded, view.retired, view.noted = False, "", Noted()
        if not any(pods.wanted or pods.alive for pods in [*view.serving.values(), *view.workers.values()]):
            del world.versions[name]


def wait(world, chance):
    """Time passes while the operator is down."""
    world.tick(chance.choice([1, 2, 9]))


def step_clock(world, chance):
    """It is set right, or another replica with another clock leads."""
    seconds = chance.choice([1, 20, 600, 86400])
    world.now += timedelta(seconds=chance.choice([seconds, -seconds, -seconds]))


def work(world, chance):
    """The operator goes on for a while, is killed at some step, and some steps are refused."""
    for _ in range(chance.choice([1, 1, 2, 4])):
        refused = chance.choice([(), (), (), ScaleServing, ScaleWorkers, RunGate, SelectPreview])
        world.round(killed_after=chance.choice([None, None, 0, 1, 2, 3]), refused=refused)
        if chance.random() < 0.8:
            world.tick()


THINGS = [
    push, push, push, autoscale, lose_pods, change_nature, promote, roll_back, unpin, pause, edit_strategy, retry,
    plan_says, suspend, break_workers, lose_service, lose_broker, lose_status, lose_record, wait,
    step_clock,
]  # fmt: skip


def story(world, chance):
    """A handful of things happen between looks of the operator.

    More than half of the stories go over into the next one; after the others nothing happens, and the world must rest.
    """
    if world.desired.paused and chance.random() < 0.7:
        world.desired = replace(world.desired, paused=False)
    if world.desired.suspend != "None" and chance.random() < 0.5:
        world.desired = replace(world.desired, suspend="None")
    for _ in range(chance.randrange(1, 4)):
        thing = chance.choice(THINGS)
        world.story.append(f"--- {thing.__name__}")
        thing(world, chance)
        work(world, chance)
    if chance.random() < 0.6:
        return
    world.broker = True
    world.settle()
    at_rest(world)
    if chance.random() < 0.1:
        a_good_version_gets_through(world)


def a_good_version_gets_through(world):
    """No state is a dead end, whatever is broken: a fix can be released from it."""
    name = f"good{len(world.natures)}"
    world.release(name, Nature(), auto_promote=True, paused=False, directive=None, suspend="None")
    world.settle()
    if (world.active, world.facts.stable, world.facts.release) != (name, name, None):
        world.fail(f"{name} did not get through: {world.status_view}")
    at_rest(world)


def at_rest(world):
    desired, facts, active = world.desired, world.facts, world.active
    assert not world.plan().steps
    if desired.suspend != "None":
        stopped_on_purpose.at_rest(world)
    if desired.paused or desired.suspend == "All":
        return
    if active == ANY and not (facts.release and facts.release.kind == "Install"):
        world.fail("at rest, the active Service selects all versions")
    wanted = desired.back_to if desired.back_to in world.versions else desired.version
    release = facts.release
    if release is None and active != wanted:
        reason = world.status_view.blocked_by
        gone = active not in world.versions  # its record was deleted while all of it was stopped
        if not (gone or active in {facts.stable, facts.stopped_version}) or not reason:
            world.fail(f"neither {wanted} nor the former version with a reason: {world.status_view}")
    if release and release.accepted_at is None and release.kind != "Undo" and not world.status_view.blocked_by:
        world.fail(f"it stands still without a reason: {world.status_view}")
    nothing_left(world)
    healthy_or_told(world)
    watched(world)


def healthy_or_told(world):
    """Who is Ready handles events: a version whose workers are down is not."""
    view = world.versions.get(world.active)
    down = [name for name, pods in view.workers.items() if pods.ready < pods.wanted] if view else []
    if down and condition(world, "Ready") == "True":
        world.fail(f"{down} of {world.active} are down, and it is Ready")


def watched(world):
    """Who has all requests was accepted, is watched, or could not go back. At rest, no watch goes on."""
    facts, active = world.facts, world.active
    others = {facts.stable, facts.release.version if facts.release else None}
    if facts.release is None or facts.stable is None or active not in world.versions or active in others:
        return
    if facts.release.kind == "Undo":  # it goes back, as soon as a pod of the stable version is ready
        return
    if not (facts.unaccepted and facts.unaccepted.failed):
        world.fail(f"{active} has all requests, and nobody watches it: {world.status_view}")


def nothing_left(world):
    """Only the active version, the stable one and the candidate have pods; workers only the active one."""
    release = world.facts.release
    may = {world.active, world.facts.stable, release.version if release else None}
    may.add(world.desired.directive.came_from if world.desired.directive else None)
    owner = world.active or world.facts.stable or (release.version if release else None)
    its_workers = world.versions[owner].workers if owner in world.versions else {}
    # Relays overlap: the former one sends on until its successor is ready, which it may never be. A worker is one, too.
    silent = not all(its_workers.get(name, READY).ready for name in ("worker", "relay"))
    overlapping = {"relay", "worker"} if silent else {"relay"} if release else set()
    for name, view in world.versions.items():
        if name not in may and any(pods.wanted or pods.alive for pods in view.serving.values()):
            world.fail(f"{name} was left running")
        moving = release and name == release.version and release.reached >= Stage.HANDING_OVER
        workers = [pods for component, pods in view.workers.items() if component not in overlapping]
        if name != owner and not moving and any(pods.wanted for pods in workers):
            world.fail(f"workers of {name} were left running beside {owner}")
    stopped = world.desired.suspend != "None" or owner in world.left_behind or owner == world.facts.stopped_version
    # Its consumers begin when the former one's worker has ended, which sends on while its own relay crashes.
    former = (view for name, view in world.versions.items() if name != owner)
    sends_on = silent and any(view.workers.get("worker", Pods()).wanted for view in former)
    if sends_on and condition(world, "Ready") == "True":
        world.fail(f"{owner} is told to be ready, and a former version's worker does its work")
    if release is None and not stopped and not sends_on and not all(pods.wanted for pods in its_workers.values()):
        world.fail(f"{owner} is active, and its workers were never started")
    if any(job.state is JobState.RUNNING for job in world.jobs.values()):
        world.fail("a migration was left running")


def stories(seed, count):
    gc.disable()  # a third of the time went into looking for cycles, and there are none
    chance = random.Random(seed)
    world = World(desired=version_desired("v1"), longest_wait=LONGEST_WAIT)
    for number in range(count):
        try:
            story(world, chance)
        except AssertionError as broken:
            raise Broken(f"world {seed}, story {number}: {broken}") from broken
        world.story.clear()
    return count
