"""Consumers and relays move from one version to another.

Consumers of an Exclusive group: the old ones are stopped, their pods are gone, the group has no member of them and
its offsets are committed; only then do the new ones start. Relays overlap in any case: each shard of the outbox has
one owner by a lock in the database, rows keep their order, and rows written by one version are sent by the other.

A worker is both, and its consumer decides how it moves. Where only one of two versions has one, a relay runs all the
time: the former relay goes on until the worker is ready, and a worker is not stopped before the other relay is ready.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..spec.fields import CONSUMING, RELAYING
from . import health
from .deadlines import patience_ends
from .observed import VersionView
from .situation import Situation
from .steps import ScaleWorkers, Step

CONSUMERS, RELAYS = "consumers", "relays"
_RELAY_ALONE = next(name for name in RELAYING if name not in CONSUMING)


@dataclass(frozen=True, slots=True)
class Handover:
    steps: tuple[Step, ...] = ()
    waiting: str = ""
    moving: str = ""  # CONSUMERS or RELAYS

    @property
    def done(self) -> bool:
        return not self.steps and not self.waiting


def hand_over(situation: Situation, owner: str, *, forward: bool) -> Handover:
    """All workers to one version. ``forward``: to a new version, where there is time to be sure."""
    view = situation.view(owner)
    if view is None:
        return Handover(waiting=f"version {owner} has no record")
    if situation.desired.exclusive:
        consumers = _exclusive(situation, view, forward=forward)
    else:
        consumers = _overlapping(situation, view, forward=forward)
    if forward and not consumers.done:  # relays need not move for a version whose consumers do not start
        return consumers
    moving = [each for each in (consumers, _relays(situation, view)) if not each.done]
    if not moving:
        return Handover()
    return replace(moving[0], steps=tuple(dict.fromkeys(step for each in moving for step in each.steps)))


def consumer_owner(situation: Situation) -> str | None:
    for name, view in situation.observed.versions.items():
        if view.consumers.wanted > 0:
            return name
    return None


def _size(situation: Situation, component: str) -> int:
    """As the spec says, for all versions; where it has another shape by now, that of what does the same there."""
    if situation.desired.suspend != "None":
        return 0
    workers = situation.desired.workers
    if not component or component in workers:
        return workers.get(component, 0)
    same = [name for role in (CONSUMING, RELAYING) if component in role for name in role if name in workers]
    return workers[same[0]] if same else 1


# --- consumers
def _exclusive(situation: Situation, view: VersionView, *, forward: bool) -> Handover:
    others = [each for each in situation.others(view.version) if each.consumer]
    running = [each for each in others if each.consumers.wanted]
    if running:
        return _stop(situation, view, running, forward=forward)
    size, mine = _size(situation, view.consumer), view.consumers
    if size and not mine.wanted:
        waiting = _still_there(situation, view.version, others, forward=forward)
        if waiting:
            return Handover(waiting=waiting, moving=CONSUMERS)
    if mine.wanted != size:
        return _start(view, view.consumer, size, CONSUMERS)
    if not size:
        return Handover(waiting=_stopping(others), moving=CONSUMERS)
    return Handover(waiting=_not_joined(situation, view, size), moving=CONSUMERS)


def _overlapping(situation: Situation, view: VersionView, *, forward: bool) -> Handover:
    size = _size(situation, view.consumer)
    if view.consumers.wanted != size:
        return _start(view, view.consumer, size, CONSUMERS)
    waiting = _not_joined(situation, view, size) if size else ""
    if waiting:
        return Handover(waiting=waiting, moving=CONSUMERS)
    others = [each for each in situation.others(view.version) if each.consumer]
    running = [each for each in others if each.consumers.wanted]
    if running:
        return _stop(situation, view, running, forward=forward)
    return Handover(waiting=_stopping(others), moving=CONSUMERS)


def _stop(situation: Situation, view: VersionView, running: Sequence[VersionView], *, forward: bool) -> Handover:
    """Of those that send as well, somebody else must send first. The way back does not wait for that where they do not
    send, nor for ever.
    """
    sending = [each for each in running if each.consumer == each.relay and (forward or each.relays.ready)]
    if view.relay == _RELAY_ALONE and sending and (forward or not _late(situation)):
        relays = _own_relays(situation, view)
        if not relays.done:
            return relays
    stop = tuple(ScaleWorkers(each.version, each.consumer, 0) for each in running)
    return Handover(stop, f"consumers of {running[0].version} are asked to stop", CONSUMERS)


def _late(situation: Situation) -> bool:
    return situation.release is not None and situation.now >= patience_ends(situation, situation.release)


def _start(view: VersionView, component: str, size: int, moving: str) -> Handover:
    return Handover(
        (ScaleWorkers(view.version, component, size),), f"{component}s of {view.version} are started", moving
    )


def _stopping(others: Sequence[VersionView]) -> str:
    left = sum(each.consumers.pods for each in others)
    return f"{left} consumers of other versions are stopping" if left else ""


def _still_there(situation: Situation, owner: str, others: Sequence[VersionView], *, forward: bool) -> str:
    """Why the new consumers must not start yet. A process that is gone consumes nothing, so going back asks less."""
    for each in others:
        if each.consumers.pods:
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


def _not_joined(situation: Situation, view: VersionView, size: int) -> str:
    if view.consumers.ready < size:
        return health.workers_ready(view, view.consumer, size)
    group = situation.observed.group
    if group and group.known and not group.members.get(view.version):
        return f"no consumer of {view.version} has joined the group"
    return ""


# --- relays
def _relays(situation: Situation, view: VersionView) -> Handover:
    """To this version's own, or to its worker, which is started as a consumer."""
    mine = _own_relays(situation, view)
    if not mine.done:
        return mine
    others = [each for each in situation.others(view.version) if each.relay == _RELAY_ALONE]
    stop = tuple(ScaleWorkers(each.version, each.relay, 0) for each in others if each.relays.wanted)
    if stop:
        return Handover(stop, "relays of the former version are asked to stop", RELAYS)
    left = sum(each.relays.pods for each in others)
    return Handover(waiting=f"{left} relays of other versions are stopping" if left else "", moving=RELAYS)


def _own_relays(situation: Situation, view: VersionView) -> Handover:
    size, mine = _size(situation, view.relay), view.relays
    if view.relay == _RELAY_ALONE and mine.wanted != size:
        return _start(view, view.relay, size, RELAYS)
    waiting = health.workers_ready(view, view.relay, size) if mine.ready < size else ""
    return Handover(waiting=waiting, moving=RELAYS)
