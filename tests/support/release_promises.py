"""What release_world holds a plan to, beside what each of its steps must not do."""

from slipway_operator.planning.observed import GateState
from slipway_operator.planning.steps import MarkDraining, RenewPods, ScaleServing


def check(world, made):
    """Called with each plan, before anything of it has an effect."""
    if world.longest_wait and made.requeue_after and made.requeue_after > world.longest_wait:
        world.fail(f"it waits for {made.requeue_after}")
    check_watch(world, made.facts)
    check_clients(world, made)
    note(world, made.facts)


def check_watch(world, facts):
    """A version is accepted when each gate of the watch has passed after the watch was over."""
    before, after = world.facts.release, facts.release
    if not (before and after and after.accepted_at and after.careful and before.careful) or before.accepted_at:
        return
    if before.version != after.version:
        return
    ends = after.promoted_at + world.desired.watch
    for gate in world.desired.gates:
        view = world.gates.get((after.version, gate.name))
        passed = view and view.state is GateState.PASSED and ends <= view.started <= world.now
        if gate.after_promotion and not gate.dry_run and not passed:
            world.fail(f"{after.version} is accepted before gate {gate.name} was asked at the end: {view}")


def check_clients(world, made):
    """Nobody's connections stay with a former version that is kept up for a way back."""
    let_go = {step.version for step in made.steps if isinstance(step, MarkDraining | RenewPods)}
    let_go |= {step.version for step in made.steps if isinstance(step, ScaleServing) and not step.replicas}
    former = {name for name, _ in made.facts.draining} - {world.active, world.selected} - let_go
    if world.desired.paused or world.desired.suspend == "All" or not world.endpoints(world.active):
        return
    if world.active != made.facts.stable or set(world.active_endpoints) != {world.active}:
        return  # it is not over yet who gets the requests
    for name in former:
        view = world.versions.get(name)
        if view and view.clients and any(pods.wanted for pods in view.serving.values()):
            world.fail(f"clients stay with {name}")


def note(world, facts):
    """What later promises rest on: who was good, who has failed, and who waits for a plan."""
    desired, release = world.desired, facts.release
    world.good.add(facts.stable)
    if not reference(desired):
        world.spent = None
    if facts.held and facts.held != world.facts.held:
        world.spent = (facts.held.version, reference(desired))
        world.allowed.discard(facts.held.version)
    waits = desired.directive and desired.directive.order in {"Hold", "Wait"} and not desired.paused
    if waits and release and release.careful and release.version == desired.version:
        world.planned = (desired.version, desired.fingerprint)
    elif desired.directive:
        world.planned = None


def reference(desired):
    return desired.promoted_as or desired.promote


def promoted(world):
    """Whether the spec's version may have requests, without a plan."""
    desired = world.desired
    by_person = desired.promote == desired.version and world.spent != (desired.version, reference(desired))
    waits = world.planned == (desired.version, desired.fingerprint)
    return by_person or (desired.auto_promote and not waits)


def check_rollback(world, version):
    """Nobody goes back to what was never good, unless a person said so in words."""
    release, desired = world.facts.release, world.desired
    back = release and release.kind == "Rollback" and desired.pinned == version == release.version
    if back and version not in world.good and desired.unreleased != version:
        world.fail(f"{version} becomes active without gates, and was never good")
