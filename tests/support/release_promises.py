"""What release_world holds a plan to, beside what each of its steps must not do."""

from slipway_operator.planning.observed import GateState


def check(world, made):
    """Called with each plan, before anything of it has an effect."""
    if world.longest_wait and made.requeue_after and made.requeue_after > world.longest_wait:
        world.fail(f"it waits for {made.requeue_after}")
    check_watch(world, made.facts)


def check_watch(world, facts):
    """A version is accepted when each gate of the watch has passed after the watch was over."""
    before, after = world.facts.release, facts.release
    if not (before and after and after.accepted_at and after.careful) or before.accepted_at:
        return
    ends = after.promoted_at + world.desired.watch
    for gate in world.desired.gates:
        view = world.gates.get((after.version, gate.name))
        passed = view and view.state is GateState.PASSED and ends <= view.started <= world.now
        if gate.after_promotion and not gate.dry_run and not passed:
            world.fail(f"{after.version} is accepted before gate {gate.name} was asked at the end: {view}")
