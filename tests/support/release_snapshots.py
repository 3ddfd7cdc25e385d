"""What `kubectl slipway` reads, made by the planner itself in release_world; and releases that stand at each stage."""

from dataclasses import replace
from datetime import timedelta

from slipway_operator.kubectl.snapshot import Kept, Snapshot
from slipway_operator.planning.facts import Stage
from slipway_operator.planning.observed import GateState
from slipway_operator.planning.status import facts_of, status_of
from slipway_operator.spec.status import MicroserviceStatus
from support.release_world import Nature, World, running, version_desired

OLD, NEW, NEWEST = "aaaaaaa1", "bbbbbbb2", "ccccccc3"
LABELS = {OLD: "1.0", NEW: "2.0", NEWEST: "3.0"}
FOREVER = Nature(gate=GateState.RUNNING)


def snapshot_of(world, *, generation=1, **changes):
    """What the plugin reads when the operator has looked a moment ago."""
    made = world.plan()
    former = MicroserviceStatus()
    status = status_of(made, former, selector="", generation=generation, now=world.now)
    observed = replace(world.observe(), facts=facts_of(status))
    kept = {
        name: Kept(name, LABELS.get(name, name), view.revision, view.retired) for name, view in world.versions.items()
    }
    found = Snapshot(
        namespace="shop", name="orders", generation=generation, label=LABELS[world.desired.version],
        desired=world.desired, status=status, kept=kept, now=world.now, observed=observed,
    )  # fmt: skip
    return replace(found, **changes)


def released(**changes):
    """The first version is active, and the second one is wanted."""
    world = running(OLD)
    world.release(NEW, **changes)
    return world


def stop_at(world, stage, limit=60):
    """The operator looks and time goes on, until the release stands at the stage."""
    for _ in range(limit):
        made = world.plan()
        if made.status_view.step == stage.title:
            return snapshot_of(world)
        world.round()
        world.tick()
    raise AssertionError(f"{stage} was not reached: {world.status_view}")


def stuck_expand():
    return released(), Stage.MIGRATING


def no_pods():
    world = released(nature=Nature(starts=False))
    stop_at(world, Stage.STARTING)
    world.round()
    return world, Stage.STARTING


def no_verdict():
    return released(nature=FOREVER), Stage.CHECKING


def too_few():
    return released(replicas=4), Stage.SCALING


def nobody_promotes():
    return released(auto_promote=False), Stage.PROMOTING


def broker_away():
    world = released()
    world.broker = False
    return world, Stage.HANDING_OVER


def rolling():
    world = running(OLD, rolling=True, replicas=4)
    world.release(NEW, rolling=True)
    return world, Stage.ROLLING


def verifying():
    return released(), Stage.VERIFYING


def watching():
    return released(), Stage.WATCHING


def draining():
    return released(scale_down_delay=timedelta(hours=1)), Stage.DRAINING


def contracting():
    return released(contract=True), Stage.CONTRACTING


def first_one():
    return World(desired=version_desired(OLD), natures={OLD: Nature(starts=False)}), Stage.STARTING


def apply(world, decision):
    """The planner's wishes after the write."""
    fields = {"promote": "promote", "activeVersion": "pinned", "paused": "paused"}
    changes = {fields[name]: value for name, value in decision.release.items() if name in fields}
    if "paused" in changes:
        changes["paused"] = bool(changes["paused"])
    if "retry" in decision.release:
        changes["fingerprint"] = "ffffffff"
    world.desired = replace(world.desired, **changes)
    world.allowed |= {changes.get("promote"), changes.get("pinned")}
