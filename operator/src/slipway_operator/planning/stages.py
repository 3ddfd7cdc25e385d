"""How far a release is: the first thing that is not as it must be, what is done about it, and when to give up.

Every look starts from the beginning. A stage that was passed and is no longer true is mended first.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from . import deadlines, gating, handover, health, permissions, promotion_window
from .facts import OpenRelease, Stage
from .observed import ANY, REFUSED, JobState, JobView, MigrationKind, VersionView
from .situation import Situation
from .stage_status import Deadline, Failure, StageStatus
from .steps import (
    ForgetVersion,
    MarkDraining,
    RecordVersion,
    RenewPods,
    RetireVersion,
    SelectPreview,
    StartMigration,
    Step,
    SwitchActive,
    UnmarkDraining,
)

# What is waited for, and nothing tells of.
LOOK_AGAIN = timedelta(seconds=5)

Check = Callable[[Situation, OpenRelease, VersionView], StageStatus | None]


def stage_status(situation: Situation, release: OpenRelease) -> StageStatus:
    found = _stage_status(situation, release)
    view = situation.view(release.version)
    refused = next((each for each in view.problems if each.reason == REFUSED), None) if view else None
    if not refused or not found.waiting or refused.message in found.waiting:
        return found
    return replace(found, waiting=f"{found.waiting}; refused was {refused.message}")


def _stage_status(situation: Situation, release: OpenRelease) -> StageStatus:
    view = situation.view(release.version)
    found = recording(situation, release.version, view)
    if found is not None and (view is None or release.careful):
        return found  # a way back to what runs does not wait for its record
    assert view  # noqa: S101 # it is recorded, or runs
    if situation.observed.not_ours and release.careful and not _has_traffic(situation, release):
        return _blocked(situation)
    for check in _FORWARD if release.careful else _BACK:
        found = check(situation, release, view)
        if found is not None:
            return found
    return StageStatus(Stage.CONTRACTING, verified=True, accepted=True, over=True)


def recording(situation: Situation, version: str, view: VersionView | None) -> StageStatus | None:
    """A version that runs without a record, because somebody deleted it, is recorded again where the spec has it."""
    of_spec = version == situation.desired.version
    if view is None or (not view.recorded and of_spec):
        if of_spec and situation.observed.missing:
            # Nobody tells when it comes.
            return StageStatus(Stage.RECORDING, situation.observed.missing, again_at=situation.now + LOOK_AGAIN)
        revision = 1 + max((each.revision for each in situation.observed.versions.values()), default=0)
        return StageStatus(Stage.RECORDING, "its record is made", (RecordVersion(version, revision),))
    going_forward = situation.release is not None and situation.release.careful
    if view.configured or not of_spec or view.pods or not going_forward:
        return None
    # Nothing of it has run yet: a record of configuration that is gone is worth nothing.
    steps = (ForgetVersion(version),) if view.lost else ()
    return StageStatus(Stage.RECORDING, "its configuration is copied", steps, again_at=situation.now + LOOK_AGAIN)


def _blocked(situation: Situation) -> StageStatus:
    """Until a person decides; nobody tells when the object is gone. A record is made before, and no deadline passes."""
    again = situation.now + LOOK_AGAIN
    return StageStatus(Stage.RECORDING, situation.observed.not_ours, again_at=again, by_person=True)


def _has_traffic(situation: Situation, release: OpenRelease) -> bool:
    return situation.switched or (situation.rolling and release.reached >= Stage.ROLLING)


def _held_back(situation: Situation, release: OpenRelease, _: VersionView) -> StageStatus | None:
    """A plan begins it when the services are released without which it can't even be checked."""
    directive = situation.desired.directive
    begun = release.reached > Stage.RECORDING or _has_traffic(situation, release)
    if release.kind == "Install" or begun:
        return None
    lost = permissions.lost_plan(situation, release)
    if lost:
        return StageStatus(Stage.RECORDING, lost, by_person=True)
    if not directive or directive.order != "Hold":
        return None
    return StageStatus(Stage.RECORDING, f"plan {directive.plan} begins it later: {directive.because}", by_person=True)


def _migrating(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if not situation.desired.expand or release.reached > Stage.MIGRATING or situation.switched:
        return None
    other = _other_migration(situation, view.version)
    if other:
        return StageStatus(Stage.MIGRATING, other)
    job = situation.observed.migrations.get((view.version, "expand"))
    found = _job(job, view.version, "expand", release.attempt)
    if isinstance(found, Failure):
        return StageStatus(Stage.MIGRATING, failure=found)
    if found is None:
        return None
    return StageStatus(Stage.MIGRATING, "the expand migration runs", found)


def _other_migration(situation: Situation, version: str) -> str:
    """Two migrations at once would see each other's half of the work."""
    for (name, kind), job in situation.observed.migrations.items():
        if name != version and job.state is JobState.RUNNING:
            return f"the {kind} migration of {name} has not ended"
    return ""


def _job(job: JobView | None, version: str, kind: MigrationKind, attempt: int) -> tuple[Step, ...] | Failure | None:
    """None: done. Otherwise the steps it needs, which are none while it runs."""
    if job is None or (job.state is JobState.FAILED and job.attempt != attempt):
        return (StartMigration(version, kind, attempt),)
    if job.state is JobState.FAILED:
        return Failure("MigrationFailed", f"the {kind} migration failed: {job.message or 'see the log of its Job'}")
    return () if job.state is JobState.RUNNING else None


def _starting(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if _has_traffic(situation, release):
        return None
    if view.endpoints < situation.preview_size:
        return StageStatus(Stage.STARTING, health.pods_ready(view, situation.preview_size))
    return None


def _previewing(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if situation.observed.preview == view.version or _has_traffic(situation, release):
        return None
    return StageStatus(Stage.PREVIEWING, "the preview Service is switched", (SelectPreview(view.version),))


def _checking(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if _has_traffic(situation, release):
        return None
    verdict = gating.before_promotion(situation, view.version, release.attempt)
    if verdict.failed:
        return StageStatus(Stage.CHECKING, failure=Failure("GateFailed", verdict.failed))
    if verdict.waiting:
        return StageStatus(
            Stage.CHECKING, verdict.waiting, verdict.steps,
            deadline=verdict.deadline, passes_at=verdict.passes_at, again_at=verdict.again_at,
        )  # fmt: skip
    return None


def rolls(situation: Situation, release: OpenRelease) -> bool:
    """Pods are replaced one by one only between the stable version and its successor."""
    between = situation.rolling or (situation.current is not None and situation.current == situation.facts.stable)
    return situation.desired.rolling and release.kind == "Release" and between


def _scaling(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if _has_traffic(situation, release) or rolls(situation, release) or situation.enough(view.version):
        return None
    return StageStatus(Stage.SCALING, health.pods_ready(view, situation.full_size))


def _promoting(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    # The first version takes nothing from anybody; nor does one that is past this point already.
    desired = situation.desired
    past = release.reached > Stage.PROMOTING
    if release.kind == "Install" or past or _has_traffic(situation, release):
        return None
    directive = desired.directive
    if directive and directive.order in {"Hold", "Wait"}:
        return StageStatus(
            Stage.PROMOTING, f"plan {directive.plan} promotes it later: {directive.because}", by_person=True
        )
    lost = permissions.lost_plan(situation, release)
    if not (desired.auto_promote or directive) and not permissions.promoted(desired, situation.facts, release):
        lost = lost or _unpromoted(situation, view.version)
    if lost:
        return StageStatus(Stage.PROMOTING, lost, by_person=True)
    closed = promotion_window.closed_because(desired.window, situation.now)
    if closed:
        again = situation.now + timedelta(seconds=60)
        return StageStatus(Stage.PROMOTING, closed, again_at=again, by_person=True)
    if release.reached is Stage.PROMOTING and permissions.results_are_old(situation, release):
        return StageStatus(Stage.CHECKING, "its gates are asked anew, since it waited long", anew=True)
    return None


def _unpromoted(situation: Situation, version: str) -> str:
    if situation.desired.promote == version:
        return f"release.promote counted for an earlier attempt: promote {version} anew (kubectl slipway promote)"
    return f"it waits for release.promote to name {version}"


def _handing_over(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if _has_traffic(situation, release):
        return None
    moved = handover.hand_over(situation, view.version, forward=True)
    return None if moved.done else StageStatus(Stage.HANDING_OVER, moved.waiting, moved.steps, moving=moved.moving)


def _rolling(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if situation.switched or not rolls(situation, release) or view.endpoints >= situation.full_size:
        return None
    pair = {view.version, situation.facts.stable}
    old = [each.version for each in situation.observed.versions.values() if each.version not in pair and each.pods]
    if old:
        return StageStatus(Stage.ROLLING, f"pods of {old[0]} have not ended yet")
    waiting = health.pods_ready(view, situation.full_size)
    if situation.rolling:
        return StageStatus(Stage.ROLLING, waiting)
    marked = [each for each in situation.observed.versions.values() if each.draining and each.version in pair]
    if marked:
        return StageStatus(Stage.ROLLING, waiting, tuple(UnmarkDraining(each.version) for each in marked))
    return StageStatus(Stage.ROLLING, waiting, (SwitchActive(ANY),))


def _switching(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if situation.switched and not situation.observed.active_split:
        return None
    if view.draining:
        return StageStatus(Stage.SWITCHING, "its pods take new connections again", (UnmarkDraining(view.version),))
    enough = situation.enough(view.version) if release.careful else _enough_to_return(situation, release, view)
    if enough:
        return StageStatus(Stage.SWITCHING, "the active Service is switched", (SwitchActive(view.version),))
    if release.careful:
        return StageStatus(Stage.SWITCHING, health.pods_ready(view, situation.full_size))
    ends = deadlines.return_ends(situation, release) if view.endpoints else None
    waiting = health.pods_ready(view, situation.return_size)
    return StageStatus(Stage.STARTING, waiting, passes_at=ends, again_at=ends)


def _enough_to_return(situation: Situation, release: OpenRelease, view: VersionView) -> bool:
    """Nobody waits for the last pod then, nor for pods that can't be made: the version that is left has the quota."""
    ready = view.endpoints
    no_more_come = bool(view.problems) and all(each.pods <= each.endpoints for each in view.serving.values())
    late = situation.now >= deadlines.return_ends(situation, release)
    return ready > 0 and (ready >= situation.return_size or no_more_come or late)


def _verifying(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if release.promoted_at:
        return None
    active_endpoints = situation.observed.active_endpoints
    foreign = [name for name, count in active_endpoints.items() if count and name != view.version]
    if foreign:
        return StageStatus(
            Stage.VERIFYING, f"endpoints of {foreign[0] or 'adopted pods'} are still behind the active Service"
        )
    if not active_endpoints.get(view.version) or not view.endpoints:
        return StageStatus(Stage.VERIFYING, "the active Service has no endpoints yet")
    return None


def watching(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if release.accepted_at:
        return None
    if not release.promoted_at:
        return StageStatus(Stage.WATCHING, "the watch begins", verified=True)
    stable = situation.facts.stable
    if not view.endpoints and stable != view.version and situation.endpoints(stable):
        failure = Failure("EndpointsLost", f"{view.version} lost all its ready endpoints while it was watched")
        return StageStatus(Stage.WATCHING, failure=failure, verified=True)
    ends = release.promoted_at + situation.desired.watch
    verdict = gating.after_promotion(situation, view.version, release.attempt, ends=ends)
    if verdict.failed:
        return StageStatus(Stage.WATCHING, failure=Failure("GateFailed", verdict.failed), verified=True)
    return _good_so_far(situation, release, view, verdict)


def _good_so_far(
    situation: Situation, release: OpenRelease, view: VersionView, verdict: gating.GateStatus
) -> StageStatus:
    assert release.promoted_at  # noqa: S101 # the caller has seen it
    ends = release.promoted_at + situation.desired.watch
    lacks = health.shortage(situation, view)
    not_back = _not_back(situation, release, view, lacks) if lacks else None
    if situation.now >= ends and not verdict.waiting:
        if not_back is None:
            return StageStatus(Stage.WATCHING, verified=True, accepted=True)
        return StageStatus(Stage.WATCHING, lacks, again_at=not_back.at, verified=True, deadline=not_back)
    again = min([each for each in (verdict.again_at, ends) if each and each > situation.now], default=None)
    waiting = lacks or verdict.waiting or f"it is watched until {ends:%H:%M:%S} UTC"
    first = min((each for each in (verdict.deadline, not_back) if each), key=lambda each: each.at, default=None)
    return StageStatus(Stage.WATCHING, waiting, verdict.steps, deadline=first, again_at=again, verified=True)


def _not_back(situation: Situation, release: OpenRelease, view: VersionView, lacks: str) -> Deadline:
    """Until when pods that were lost while it was watched have to be back. Where nobody handles events any more, that
    does not wait for the end of the watch.
    """
    allowed = situation.desired.progress_deadline
    assert release.promoted_at  # noqa: S101 # the caller has seen it
    at = release.promoted_at + situation.desired.watch + allowed
    if health.without_workers(view):
        at = min(at, (release.workers_lost_since or situation.now) + allowed)
    return Deadline(at, Failure("ProgressDeadlineExceeded", lacks))


def _returning(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    """After the requests, the workers follow; and a rollback counts once requests are back."""
    if not release.accepted_at:
        return StageStatus(Stage.RETURNING, verified=True, accepted=True)
    moved = handover.hand_over(situation, view.version, forward=False)
    if moved.done:
        return StageStatus(Stage.RETURNING, verified=True, over=True)
    return StageStatus(Stage.RETURNING, moved.waiting, moved.steps, verified=True, moving=moved.moving)


def _draining(situation: Situation, _: OpenRelease, view: VersionView) -> StageStatus | None:
    directive = situation.desired.directive
    if directive and directive.open and situation.view(directive.came_from) and view.version != directive.came_from:
        waiting = f"plan {directive.plan} has not ended: {directive.came_from} is kept for the way back"
        return StageStatus(Stage.DRAINING, waiting, verified=True)
    left = [each for each in situation.others(view.version) if each.wanted or each.pods]
    if not left:
        return None
    waiting = f"{left[0].version} stays up for a way back, then it is scaled down"
    return StageStatus(Stage.DRAINING, waiting, verified=True)


def _contracting(situation: Situation, release: OpenRelease, view: VersionView) -> StageStatus | None:
    if not situation.desired.contract or situation.desired.version != view.version:
        return None
    job = situation.observed.migrations.get((view.version, "contract"))
    found = _job(job, view.version, "contract", release.attempt)
    if found is None:
        return None
    if isinstance(found, Failure):
        return StageStatus(Stage.CONTRACTING, verified=True, over=True, contract_failed=found.message)
    other = _other_migration(situation, view.version)
    if other:
        return StageStatus(Stage.CONTRACTING, other, verified=True)
    because = f"the contract migration of {view.version} removed what it used"
    # Written before the migration begins: half of it is enough to break an older version.
    retire = tuple(RetireVersion(each.version, because) for each in situation.others(view.version) if not each.retired)
    return StageStatus(Stage.CONTRACTING, "the contract migration runs", retire or found, verified=True)


def drain_steps(situation: Situation, staged: Sequence[Step], going: Collection[str]) -> tuple[Step, ...]:
    """Former versions that are still up close their kept-alive connections; those with requests do not.

    Pods that do not do it when they are told are replaced, each after another one is ready: so the way back is as short
    as before. Not while nobody else answers, and not those of versions that are ``going`` in this look.
    """
    steps: list[Step] = []
    release = situation.release
    former = {name for name, _ in situation.facts.draining}
    if release and release.promoted_at and situation.facts.stable and situation.switched:
        former.add(situation.facts.stable)
    current = situation.current
    others_answer = situation.rolling or bool(current and situation.observed.active_endpoints.get(current))
    for view in situation.observed.versions.values():
        asked = situation.observed.active_endpoints.get(view.version, 0) or view.version == current
        if not view.wanted:
            continue
        if asked and (view.draining or view.renewed):
            steps.append(UnmarkDraining(view.version))
        elif view.version in former - {situation.target} and current and not asked:
            steps += [] if view.draining else [MarkDraining(view.version)]
            stay = view.closes_connections or view.renewed or view.version in going or not others_answer
            steps += [] if stay else [RenewPods(view.version)]
    return tuple(step for step in steps if step not in staged)


_FORWARD: tuple[Check, ...] = (
    _held_back, _migrating, _starting, _previewing, _checking, _scaling, _promoting, _handing_over, _rolling,
    _switching, _verifying, watching, _draining, _contracting,
)  # fmt: skip
_BACK: tuple[Check, ...] = (_switching, _verifying, _returning)
