"""Consumers and relays move from one version to another.

Consumers of an Exclusive group: the old ones are stopped, their pods are gone, the group has no member of them and
its offsets are committed; only then do the new ones start. Relays overlap in any case: each shard of the outbox has
one owner by a lock in the database, rows keep their order, and rows written by one version are sent by the other.
"""

from dataclasses import dataclass, replace

from .observed import VersionView, Workload
from .situation import Situation
from .steps import ScaleWorkers, Step

CONSUMER = "consumer"
_NOTHING = Workload()


@dataclass(frozen=True, slots=True)
class Handover:
    steps: tuple[Step, ...] = ()
    waiting: str = ""
    component: str = ""  # that is being moved

    @property
    def done(self) -> bool:
        return not self.steps and not self.waiting


def hand_over(situation: Situation, owner: str, *, forward: bool) -> Handover:
    """All workers to one version. ``forward``: to a new version, where there is time to be sure."""
    view = situation.view(owner)
    if view is None:
        return Handover(waiting=f"version {owner} has no record")
    components = {name for each in situation.observed.versions.values() for name in each.workers}
    moving: list[Handover] = []
    for component in sorted(components):
        if component == CONSUMER and situation.desired.exclusive:
            result = _exclusive(situation, view, forward=forward)
        else:
            result = _overlapping(situation, view, component)
        if not result.done:
            moving.append(replace(result, component=component))
            if forward:  # relays need not move for a version whose consumers do not start
                break
    if not moving:
        return Handover()
    return replace(moving[0], steps=tuple(step for each in moving for step in each.steps))


def consumer_owner(situation: Situation) -> str | None:
    for name, view in situation.observed.versions.items():
        if view.workers.get(CONSUMER, _NOTHING).wanted > 0:
            return name
    return None


def _size(situation: Situation, view: VersionView, component: str) -> int:
    return situation.desired.workers.get(component, 1) if component in view.workers else 0


def _exclusive(situation: Situation, view: VersionView, *, forward: bool) -> Handover:
    others = [each for each in situation.others(view.version) if CONSUMER in each.workers]
    running = [each for each in others if each.workers[CONSUMER].wanted]
    if running:
        stop = tuple(ScaleWorkers(each.version, CONSUMER, 0) for each in running)
        return Handover(stop, f"consumers of {running[0].version} are asked to stop")
    size, mine = _size(situation, view, CONSUMER), view.workers.get(CONSUMER, _NOTHING)
    if size and not mine.wanted:
        waiting = _still_there(situation, view.version, others, forward=forward)
        if waiting:
            return Handover(waiting=waiting)
    if mine.wanted != size and CONSUMER in view.workers:
        return Handover((ScaleWorkers(view.version, CONSUMER, size),), f"consumers of {view.version} are started")
    if not size:
        left = sum(each.workers[CONSUMER].pods for each in others)
        return Handover(waiting=f"{left} consumers of other versions are stopping" if left else "")
    return Handover(waiting=_not_joined(situation, view.version, mine, size))


def _still_there(situation: Situation, owner: str, others: list[VersionView], *, forward: bool) -> str:
    """Why the new consumers must not start yet. A process that is gone consumes nothing, so going back asks less."""
    for each in others:
        if each.workers[CONSUMER].pods:
            return f"consumers of {each.version} have not ended yet"
    group = situation.observed.group
    if group is None:
        return ""
    if not group.known:
        return "the broker does not say who is in the consumer group" if forward else ""
    foreign = {name: count for name, count in group.members.items() if name != owner and count}
    if foreign:
        name, count = next(iter(foreign.items()))
        whose = f"of {name}" if name else "that belong to no version of this service: stop them"
        return f"the consumer group has {count} members {whose}"
    if not group.settled and forward:
        return "the consumer group has not committed its offsets"
    return ""


def _not_joined(situation: Situation, version: str, mine: Workload, size: int) -> str:
    if mine.ready < size:
        return f"{mine.ready} of {size} consumers of {version} are ready"
    group = situation.observed.group
    if group and group.known and not group.members.get(version):
        return f"no consumer of {version} has joined the group"
    return ""


def _overlapping(situation: Situation, view: VersionView, component: str) -> Handover:
    size, mine = _size(situation, view, component), view.workers.get(component, _NOTHING)
    if mine.wanted != size and component in view.workers:
        return Handover(
            (ScaleWorkers(view.version, component, size),), f"{component}s of {view.version} are started"
        )  # fmt: skip
    if component == CONSUMER and size:
        waiting = _not_joined(situation, view.version, mine, size)
    else:
        waiting = f"{mine.ready} of {size} {component}s of {view.version} are ready" if mine.ready < size else ""
    if waiting:
        return Handover(waiting=waiting)
    others = [each for each in situation.others(view.version) if component in each.workers]
    stop = tuple(ScaleWorkers(each.version, component, 0) for each in others if each.workers[component].wanted)
    if stop:
        return Handover(stop, f"{component}s of the former version are asked to stop")
    left = sum(each.workers[component].pods for each in others)
    return Handover(waiting=f"{left} {component}s of other versions are stopping" if left else "")
