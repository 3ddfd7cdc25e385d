"""Stopped on purpose (``spec.suspend``): what that takes down, and what does not come back by itself afterwards.

A version that was active when everything was stopped, and is not wanted any more, is never started again: a restored
database is bound to the version that was pushed meanwhile, and the former one would write to the old database.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from . import decisions
from .decisions import TargetVersion
from .desired import Desired
from .facts import Facts
from .handover import Handover
from .observed import Observed
from .situation import Situation
from .steps import Emit, ScaleServing, ScaleWorkers, SelectPreview, Step


def noted(facts: Facts, desired: Desired, now: datetime) -> tuple[Facts, list[Emit]]:
    """The facts with what is suspended now. After a stop of everything no time has passed, and a watch begins anew."""
    before, suspend = facts.suspended, desired.suspend
    if before == suspend:
        return facts, []
    release = facts.release
    if release and before == "All":
        watch = None if release.careful and not release.accepted_at else release.promoted_at
        release = replace(decisions.untroubled(release), since=now, promoted_at=watch)
    kept = facts.unaccepted
    if kept and before == "All":
        kept = replace(kept, release=replace(decisions.untroubled(kept.release), promoted_at=None))
    facts = replace(facts, suspended=suspend, release=release, unaccepted=kept)
    if suspend == "None":
        return facts, [Emit("Resumed", f"spec.suspend is None again, after {before}")]
    return facts, [Emit("Suspended", f"spec.suspend is {suspend}: {_WHAT[suspend]} are stopped on purpose")]


_WHAT = {"All": "all processes", "Workers": "consumers, relays and workers"}


def followed(
    observed: Observed, desired: Desired, facts: Facts, wanted: TargetVersion, now: datetime
) -> tuple[Facts, list[Emit]]:
    """While everything is stopped, the release that is open stands still; a version that is pushed meanwhile, or named
    for a rollback, is what will be started, and the one before it stays down.
    """
    version, release = wanted.version, facts.release
    held = facts.held is not None and facts.held.version == version
    if version is None or wanted.refused or held or (release and release.version == version):
        return facts, []
    if version == observed.active:
        if facts.stopped_version is None:
            return facts, []
        gone = decisions.closed(observed, facts, now, "Superseded", _given_up(facts)) if release else facts
        return replace(gone, stopped_version=None), []
    after = decisions.closed(observed, facts, now, "Superseded", _given_up(facts)) if release else facts
    stopped = observed.active if observed.active in observed.versions else facts.stopped_version
    stable = version if version == facts.stable else None
    after = replace(after, stopped_version=stopped, unaccepted=None, stable=stable)
    if stable is None:
        after = decisions.opened(observed, desired, after, now, target=version, kind="Install")
        after = replace(after, kept_size=None)
    if after == facts:
        return facts, []
    down = f"; {stopped} stays down" if stopped else ""
    return after, [Emit("ReleaseStarted", f"{version} is started when spec.suspend is None{down}")]


def followed_unseen(observed: Observed, desired: Desired, now: datetime) -> tuple[Facts, list[Emit]]:
    """The same in the first look after a stop: a version may have been pushed while no operator was there to see it."""
    facts = decisions.with_hold(desired, observed.facts, now)
    return followed(observed, desired, facts, decisions.target_version(observed, desired, facts.stable), now)


def _given_up(facts: Facts) -> str:
    return f"{facts.release.version} is given up: another version is wanted" if facts.release else ""


def let_go(observed: Observed, facts: Facts, wanted: TargetVersion) -> Facts:
    """A version that was stopped for another may run again when somebody wants it, and is forgotten when it is gone."""
    stopped = facts.stopped_version
    if stopped is None or (observed.active == stopped and wanted.version != stopped):
        return facts
    return replace(facts, stopped_version=None)


def all_down(situation: Situation) -> tuple[Step, ...]:
    steps: list[Step] = [*workers_down(situation).steps]
    for view in situation.observed.versions.values():
        steps += [ScaleServing(view.version, name, 0) for name, each in view.serving.items() if each.wanted]
    if situation.observed.preview is not None:
        steps.append(SelectPreview(None))
    return tuple(steps)


def workers_down(situation: Situation) -> Handover:
    views = situation.observed.versions.values()
    steps = tuple(
        ScaleWorkers(view.version, name, 0) for view in views for name, each in view.workers.items() if each.wanted
    )
    left = sum(each.pods for view in views for each in view.workers.values())
    return Handover(steps, f"{left} pods of workers have not ended yet" if left else "")


def said(situation: Situation) -> str:
    """What is stopped, and what will be started."""
    suspend, stopped = situation.desired.suspend, situation.facts.stopped_version
    if suspend == "None":
        return ""
    left = sum(_pods(situation, suspend))
    ending = f"; {left} pods have not ended yet" if left else ""
    follows = ""
    if suspend == "All" and stopped and situation.target and situation.target != stopped:
        name = situation.name_of(situation.target)
        follows = f"; {name} is started when it is None, and {situation.name_of(stopped)} is not"
    return f"spec.suspend is {suspend}: {_WHAT[suspend]} are stopped on purpose{ending}{follows}"


def _pods(situation: Situation, suspend: str) -> Iterator[int]:
    for view in situation.observed.versions.values():
        yield sum(each.pods for each in view.workers.values())
        yield view.pods if suspend == "All" else 0
