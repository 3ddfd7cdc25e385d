"""Which version shall be active, and what that begins or ends. All of it is a function of facts and observation."""

from dataclasses import dataclass, replace
from datetime import datetime

from . import deadlines, health, permissions
from .desired import PLAN_FAILED, Desired
from .facts import HISTORY, RETIRED, Ended, Facts, Held, KeptSize, Kind, OpenRelease, Result, Stage, Unaccepted
from .handover import CONSUMERS
from .observed import ANY, JobState, Observed
from .situation import Situation
from .stage_status import Failure, StageStatus
from .steps import Emit, ScaleWorkers

# More former versions than that do not stay up; the status has room for so many.
MOST_DRAINING = 20


@dataclass(frozen=True, slots=True)
class TargetVersion:
    """The version that is wanted, and why it can't be had."""

    version: str | None
    refused: str = ""


def target_version(observed: Observed, desired: Desired, stable: str | None) -> TargetVersion:
    back_to = desired.back_to
    if back_to is None:
        return TargetVersion(desired.version)
    who = "release.activeVersion" if desired.pinned or not desired.directive else f"plan {desired.directive.plan}"
    view = observed.versions.get(back_to)
    if view is None or not (view.recorded or back_to in {stable, desired.version}):
        kept = ", ".join(sorted(each.version for each in observed.versions.values() if each.recorded)) or "none"
        return TargetVersion(stable, f"{who} names {back_to}, which is not kept; kept: {kept}")
    if view.retired and back_to != stable:
        return TargetVersion(stable, f"{who} names {back_to}, which can't come back: {view.retired}")
    if desired.pinned and back_to != desired.version and not _may_come_back(observed, desired, back_to):
        why = permissions.unreleased_because(view.noted)
        cure = f"name another version, or set release.allowUnreleased to {back_to} as well"
        return TargetVersion(stable, f"{who} names {back_to}, of which no release has succeeded ({why}): {cure}")
    return TargetVersion(back_to)


def _may_come_back(observed: Observed, desired: Desired, version: str) -> bool:
    """Without its gates: it was good once, or a person said in words that it need not have been."""
    view, facts = observed.versions.get(version), observed.facts
    released = view and permissions.was_released(version, facts.stable, facts.history, view.noted)
    return bool(released) or desired.unreleased == version


def remembered(observed: Observed, desired: Desired, now: datetime) -> Facts:
    """The facts, corrected by what is observed: what is gone can't be gone back to."""
    facts = observed.facts.until(now)
    if facts.stable is not None and facts.stable not in observed.versions:
        facts = replace(facts, stable=None)
    facts = with_hold(desired, with_stable(observed, desired, facts), now)
    if facts.kept_size and facts.kept_size.replicas != desired.replicas:
        facts = replace(facts, kept_size=None)
    return resumed(facts, now)


def with_hold(desired: Desired, facts: Facts, now: datetime) -> Facts:
    """The version that is held, by the spec and the plan of now."""
    if facts.held and facts.held.fingerprint != desired.fingerprint:
        facts = replace(facts, held=None)
    directive = desired.directive
    if directive and directive.open and facts.held and facts.held.reason == PLAN_FAILED:
        facts = replace(facts, held=None)  # another plan tries again
    if directive and not directive.open and desired.version != directive.came_from and not facts.held:
        # It stays back when the plan is deleted, until its spec changes.
        message = f"plan {directive.plan} sent it back: {directive.because}"
        facts = replace(facts, held=Held(desired.version, PLAN_FAILED, message, desired.fingerprint, now))
    return facts


def with_stable(observed: Observed, desired: Desired, facts: Facts) -> Facts:
    """The version to go back to, where nothing is remembered; one whose processes are all stopped stays down."""
    if facts.stable is not None or facts.release is not None:
        return facts
    found = _found(observed, desired)
    if found and found != (desired.back_to or desired.version) and observed.versions[found].stopped:
        facts = replace(facts, stopped_version=found)  # and its status was lost: drift has a version to go back to
    return replace(facts, stable=found if found != facts.stopped_version else None)


def resumed(facts: Facts, now: datetime) -> Facts:
    """Time that stood still counts for no deadline and for no watch: each begins anew."""
    if not facts.paused:
        return facts
    release = facts.release and replace(untroubled(facts.release), since=now)
    if release and release.promoted_at and not release.accepted_at:
        release = replace(release, promoted_at=now)
    return replace(facts, paused=False, release=release)


def untroubled(release: OpenRelease) -> OpenRelease:
    return replace(release, troubled_since=None, workers_lost_since=None)


def _found(observed: Observed, desired: Desired) -> str | None:
    """Nothing is remembered: the version that gets requests is the one to go back to."""
    if observed.active in observed.versions:
        return observed.active
    answering = [view for view in observed.versions.values() if view.endpoints and observed.active == ANY]
    answering.sort(key=lambda view: (view.version != desired.version, view.endpoints, view.revision))
    return answering[-1].version if answering else None


def decide(
    observed: Observed, desired: Desired, facts: Facts, wanted: TargetVersion, now: datetime
) -> tuple[Facts, str | None, list[Emit]]:
    """The facts with the right release open, the version that shall be active, and what there is to tell."""
    events: list[Emit] = []
    facts = _refuse_retired(observed, desired, facts, wanted, now)
    target = _target(observed, facts, wanted)
    kind = _kind(observed, desired, facts, target)
    if facts.release and (facts.release.version != target or _permission_is_gone(observed, desired, facts.release)):
        facts, events = _superseded(Situation(observed, desired, facts, now, target))
        kind = "Undo" if target is not None and target == facts.stable else _kind(observed, desired, facts, target)
    kept = facts.unaccepted
    if facts.release is None and kept and kept.release.version == target and not kept.failed:
        facts = replace(facts, release=kept.release, unaccepted=None)  # it is wanted again: its watch goes on
    if facts.release is None and target is not None and kind:
        facts = opened(observed, desired, facts, now, target=target, kind=kind)
        if kind != "Undo":
            events.append(Emit("ReleaseStarted", f"{kind} of {target} begins"))
    elif facts.release and facts.release.careful and facts.release.fingerprint != desired.fingerprint:
        facts = _tried_again(observed, desired, facts, now)
    return permissions.with_promotion(desired, facts), target, events


def _target(observed: Observed, facts: Facts, wanted: TargetVersion) -> str | None:
    release = facts.release
    if facts.held and facts.held.version == wanted.version:
        return facts.stable
    if observed.active == ANY and facts.stable:
        # Requests go to every pod there is. Only the release that rolls may go on; others find one version first.
        rolls = release and release.careful and release.version == wanted.version and release.reached >= Stage.ROLLING
        return wanted.version if rolls else facts.stable
    return wanted.version


def _kind(observed: Observed, desired: Desired, facts: Facts, target: str | None) -> Kind | None:
    """What it takes to make the target active; None: it is."""
    if target is None:
        return None
    if facts.stable is None:
        return "Install"
    if target != facts.stable:
        back = desired.back_to == target and (not desired.pinned or _may_come_back(observed, desired, target))
        return "Rollback" if back else "Release"
    if observed.active != target or observed.active_split:
        return "Undo"
    return "Release" if _contract_is_unfinished(observed, desired, facts, target) else None


def _permission_is_gone(observed: Observed, desired: Desired, release: OpenRelease) -> bool:
    """A person had said that a version which was never good may come back without its gates, and says so no longer,
    while the spec names it by now: it may have requests after its gates alone.
    """
    back = release.kind == "Rollback" and desired.pinned == release.version
    return back and observed.active != release.version and not _may_come_back(observed, desired, release.version)


def _contract_is_unfinished(observed: Observed, desired: Desired, facts: Facts, target: str) -> bool:
    """Of the version that is active: it failed and shall be tried again, or another version put it off."""
    if not desired.contract or desired.version != target or (facts.held and facts.held.version == target):
        return False
    job = observed.migrations.get((target, "contract"))
    return job.state is JobState.FAILED if job else facts.contract_pending == target


def _refuse_retired(observed: Observed, desired: Desired, facts: Facts, wanted: TargetVersion, now: datetime) -> Facts:
    view = observed.versions.get(wanted.version) if wanted.version else None
    if view is None or not view.retired or wanted.version == facts.stable:
        return facts
    if facts.held and facts.held.version == view.version:
        return facts
    return replace(facts, held=Held(view.version, RETIRED, view.retired, desired.fingerprint, now))


def opened(observed: Observed, desired: Desired, facts: Facts, now: datetime, *, target: str, kind: Kind) -> Facts:
    attempt = _next_attempt(observed, facts, target)
    release = OpenRelease(target, kind, attempt, desired.fingerprint, now, Stage.RECORDING, now)
    if kind == "Release" and target == facts.stable:  # only its contract migration is left
        release = replace(release, reached=Stage.DRAINING, promoted_at=now, accepted_at=now)
    current = observed.versions.get(observed.active) if observed.active else None
    kept = facts.kept_size
    if kind != "Undo" and kept is None and current and current.wanted not in {0, desired.replicas}:
        kept = KeptSize(desired.replicas, current.wanted)
    draining = tuple(each for each in facts.draining if each[0] != target)
    return replace(facts, release=release, attempts=attempt, kept_size=kept, draining=draining)


def _next_attempt(observed: Observed, facts: Facts, version: str) -> int:
    """A number that no Job or gate of this version has, even when the status was lost."""
    used = [view.attempt for (name, _), view in observed.gates.items() if name == version]
    used += [job.attempt for (name, _), job in observed.migrations.items() if name == version]
    return 1 + max([facts.attempts, *used])


def _tried_again(observed: Observed, desired: Desired, facts: Facts, now: datetime) -> Facts:
    """The spec of the same version changed: gates and migrations are asked anew."""
    release = facts.release
    assert release  # noqa: S101 # the caller has seen it
    attempt = _next_attempt(observed, facts, release.version)
    if release.reached <= Stage.PROMOTING:
        release = replace(release, reached=Stage.RECORDING, since=now)
    release = replace(release, attempt=attempt, fingerprint=desired.fingerprint, plan="")
    return replace(facts, release=release, attempts=attempt)


def _asked_anew(situation: Situation, release: OpenRelease) -> Facts:
    """Its promotion goes with it, since it was given for the results that are asked now."""
    facts = situation.facts
    attempt = _next_attempt(situation.observed, facts, release.version)
    said = facts.promotion
    if said and said.attempt == release.attempt:
        facts = replace(facts, promotion=replace(said, attempt=attempt))
    release = replace(release, attempt=attempt, reached=Stage.CHECKING, since=situation.now)
    return replace(facts, release=release, attempts=attempt)


def _superseded(situation: Situation) -> tuple[Facts, list[Emit]]:
    observed, facts, now, target = situation.observed, situation.facts, situation.now, situation.target
    release = facts.release
    assert release  # noqa: S101 # the caller has seen it
    if release.kind == "Undo":
        return _way_back_beside(situation, release), []
    if release.accepted_at:
        unfinished = release.version if release.careful else facts.contract_pending
        return replace(closed(observed, facts, now, "Succeeded"), contract_pending=unfinished), []
    if _goes_on_beside(situation, release):
        if release.kind == "Rollback":
            # What a person went back to is what a version that is pushed since goes back to.
            facts, told = accepted(situation)
            return closed(observed, facts, now, "Succeeded"), told
        message = f"{release.version} is not accepted, and {target} is wanted: it is watched while it has all requests"
        return replace(facts, release=None, unaccepted=Unaccepted(release)), [Emit("ReleaseSuperseded", message)]
    why = "another version is wanted" if target != release.version else "nobody allows it without its gates any longer"
    message = f"{release.version} is given up: {why}"
    return closed(observed, facts, now, "Superseded", message), [Emit("ReleaseSuperseded", message)]


def _way_back_beside(situation: Situation, undo: OpenRelease) -> Facts:
    """A version that has failed still has all requests, and the one that is pushed now may be long in coming: they go
    back meanwhile.
    """
    facts, active = situation.facts, situation.observed.active
    ended = replace(facts, release=None)
    if situation.target in {None, undo.version} or active in {None, ANY, undo.version, situation.target}:
        return ended
    if facts.unaccepted or active not in situation.observed.versions:
        return ended
    why = facts.held.message if facts.held and facts.held.version == active else "it has failed"
    failed = Unaccepted(replace(undo, version=active), failed=why[:1024], failed_at=undo.since)
    return replace(ended, unaccepted=failed)


def _goes_on_beside(situation: Situation, release: OpenRelease) -> bool:
    """Its version has all requests, and the one that is wanted now may be long in coming."""
    forward = situation.target not in {None, situation.facts.stable}
    return forward and situation.observed.active == release.version


def closed(observed: Observed, facts: Facts, now: datetime, result: Result, reason: str = "") -> Facts:
    release = facts.release
    assert release  # noqa: S101 # the caller has seen it
    if release.kind == "Undo":
        return replace(facts, release=None)
    view = observed.versions.get(release.version)
    ended = Ended(
        version=release.version,
        label=view.label if view else "",
        kind=release.kind,
        started=release.started,
        ended=now,
        result=result,
        reason=reason,
        handover_pause_ms=release.handover_pause_ms,
    )
    return replace(facts, release=None, history=(*facts.history, ended)[-HISTORY:])


def should_fail(situation: Situation, release: OpenRelease, found: StageStatus) -> Failure | None:
    deadline = deadlines.deadline_of(situation, release, found)
    return deadline.failure if deadline and situation.now >= deadline.at else None


def failed(situation: Situation, failure: Failure) -> tuple[Facts, list[Emit]]:
    """The version is held, and the way back is open."""
    facts, release, now = situation.facts, situation.facts.release, situation.now
    assert release  # noqa: S101 # the caller has seen it
    held = Held(release.version, failure.reason, failure.message, situation.desired.fingerprint, now)
    facts = closed(situation.observed, replace(facts, held=held), now, "Failed", failure.message)
    back = ""
    if facts.stable and facts.stable != release.version:
        facts = opened(situation.observed, situation.desired, facts, now, target=facts.stable, kind="Undo")
        back = f"; back to {facts.stable}"
    return facts, [Emit("ReleaseFailed", f"{release.version}: {failure.message}{back}", "Warning")]


def progressed(situation: Situation, found: StageStatus) -> tuple[Facts, list[Emit]]:
    """The facts after this look: how far the release is, and what it has reached for good."""
    facts, release, now = situation.facts, situation.facts.release, situation.now
    assert release  # noqa: S101 # the caller has seen it
    release, told = _handed_over(situation, permissions.with_plan(situation, release), found)
    if found.anew:
        return _asked_anew(situation, release), told
    if release != facts.release:
        facts = replace(facts, release=release)
        situation = replace(situation, facts=facts)
    if found.over:
        facts, more = _ended(situation, found)
        return facts, [*told, *more]
    if found.accepted and not release.accepted_at:
        facts, more = accepted(situation)
        return facts, [*told, *more]
    if deadlines.moved_on(release, found):
        release = replace(release, reached=found.stage, since=now)
    if found.verified and not release.promoted_at:
        release = replace(release, promoted_at=now)
    release = noted_trouble(situation, release, found)
    return (facts if release == facts.release else replace(facts, release=release)), told


def noted_trouble(situation: Situation, release: OpenRelease, found: StageStatus) -> OpenRelease:
    """Since when its pods are in trouble, and since when it has lost its workers: neither can be observed later."""
    view = situation.view(release.version)
    if view is None or release.kind == "Undo" or release.accepted_at:
        return untroubled(release)
    troubled, lost = release.troubled_since, release.workers_lost_since
    if health.trouble(situation, view):
        troubled = troubled or situation.now
    elif not health.shortage(situation, view):
        troubled = None  # one that crashes again and again is without a problem in between
    lost = (lost or situation.now) if found.stage is Stage.WATCHING and health.without_workers(view) else None
    return replace(release, troubled_since=troubled, workers_lost_since=lost)


def _handed_over(situation: Situation, release: OpenRelease, found: StageStatus) -> tuple[OpenRelease, list[Emit]]:
    """The pause begins when the old consumers are asked to stop, and ends when the new ones are members."""
    stops = any(isinstance(step, ScaleWorkers) and not step.replicas for step in found.steps)
    if found.moving == CONSUMERS and stops and _pauses(situation.desired) and not release.handover_started:
        release = replace(release, handover_started=situation.now)
    if found.moving == CONSUMERS or not release.handover_started or release.handover_ended:
        return release, []
    release = replace(release, handover_ended=situation.now)
    paused = f"{(release.handover_pause_ms or 0) / 1000:.1f} s without a consumer"
    return release, [Emit("ConsumersHandedOver", f"{situation.name_of(release.version)} consumes: {paused}")]


def _pauses(desired: Desired) -> bool:
    """Whether a handover is a time without a consumer: not where they overlap, nor where they are stopped anyway."""
    return desired.exclusive and desired.suspend == "None"


def accepted(situation: Situation) -> tuple[Facts, list[Emit]]:
    facts, release, now = situation.facts, situation.facts.release, situation.now
    assert release  # noqa: S101 # the caller has seen it
    release = replace(release, accepted_at=now)
    if release.kind == "Undo":
        return replace(facts, release=release), []
    former = situation.view(facts.stable)
    draining = facts.draining
    if former and former.version != release.version and (former.wanted or former.pods):
        draining = (*(each for each in draining if each[0] != former.version), (former.version, now))[-MOST_DRAINING:]
    facts = replace(
        facts, stable=release.version, release=release, draining=draining, kept_size=None, contract_pending=None
    )
    name = situation.name_of(release.version)
    return facts, [Emit("RolledBack" if release.kind == "Rollback" else "Released", f"{name} is active")]


def _ended(situation: Situation, found: StageStatus) -> tuple[Facts, list[Emit]]:
    facts, release, now = situation.facts, situation.facts.release, situation.now
    assert release  # noqa: S101 # the caller has seen it
    if release.kind == "Release":
        facts = replace(facts, contract_pending=None)
    if not found.contract_failed:
        return closed(situation.observed, facts, now, "Succeeded"), []
    message = found.contract_failed
    held = Held(release.version, "ContractFailed", message, situation.desired.fingerprint, now)
    facts = closed(situation.observed, replace(facts, held=held), now, "ContractFailed", message)
    return facts, [Emit("ContractFailed", f"{release.version} stays active: {message}", "Warning")]
