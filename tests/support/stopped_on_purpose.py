"""Promises about what is stopped on purpose (spec.suspend), for release_world."""

from slipway_operator.planning.decisions import remembered, target_version
from slipway_operator.planning.steps import ScaleServing, ScaleWorkers


def so(world):
    """Everything is stopped on purpose, or was when this version was active, and another one is wanted since."""
    return world.desired.suspend == "All" or world.active in world.left_behind


def check(world, steps, *, written):
    """It stays down; and so does a version that was active then, until it is wanted again."""
    suspend = world.desired.suspend
    # The operator knows of it, or does after this look; else nothing was stopped.
    stopped = world.facts.suspended == "All" or (suspend == "All" and written)
    if stopped or world.left_behind:
        # A look that ended before its status was written did not happen.
        _follow(world, stopped=stopped and written)
    for step in steps:
        if not isinstance(step, (ScaleServing, ScaleWorkers)) or not step.replicas:
            continue
        if suspend == "All" or (suspend == "Workers" and isinstance(step, ScaleWorkers)):
            world.fail(f"{step}, and {suspend} is stopped on purpose")
        if step.version in world.left_behind:
            world.fail(f"{step}: it was stopped on purpose, and another version is wanted")


def _follow(world, *, stopped):
    wanted, release = _wanted(world), world.facts.release
    goes_on = release and release.version == wanted  # it was open before, and is when everything is started again
    if stopped and world.active in world.versions and world.active != wanted and not goes_on:
        world.left_behind.add(world.active)
    world.left_behind.discard(wanted)


def at_rest(world):
    for name, view in world.versions.items():
        stopped = [*view.workers.values(), *(view.serving.values() if world.desired.suspend == "All" else ())]
        if any(pods.wanted or pods.alive for pods in stopped):
            world.fail(f"{name} runs, and {world.desired.suspend} is stopped on purpose")


def _wanted(world):
    """The version that shall be active. One that is held or refused is not, where there is a stable one."""
    desired, saw = world.desired, world.observe()
    facts = remembered(saw, desired, world.now)
    wanted = target_version(saw, desired, facts.stable)
    held = facts.held and facts.held.version == wanted.version and facts.held.fingerprint == desired.fingerprint
    return facts.stable if (wanted.refused or held) and facts.stable else wanted.version
