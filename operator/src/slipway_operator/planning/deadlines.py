"""When a release ends by time. Asked by the planner, by the status and by ``kubectl slipway explain``."""

from datetime import datetime, timedelta

from . import health
from .desired import Desired
from .facts import OpenRelease, Stage
from .observed import REFUSED
from .situation import Situation
from .stage_status import Deadline, Failure, StageStatus

# A registry or a configuration that comes a moment later is forgiven for so long.
PROBLEM_GRACE = timedelta(seconds=60)
# Rolling adds a quarter of the pods at a time (the surge); each quarter has the deadline for itself.
SURGE_PARTS = 4
# A Job has the migration's deadline itself, and says more when it is over.
JOB_GRACE = timedelta(seconds=30)
# People and clocks decide how long these take.
UNHURRIED = {Stage.PROMOTING, Stage.WATCHING, Stage.DRAINING, Stage.CONTRACTING}


def deadline_of(situation: Situation, release: OpenRelease, found: StageStatus) -> Deadline | None:
    """What ends the release first, a failure at once; None: it does not end by time. Going back never gives up, and a
    first version has nothing to go back to: only what the stage itself finds ends it.
    """
    if release.kind == "Undo":
        return None
    if found.failure:
        return Deadline(situation.now, found.failure)
    ends = [found.deadline]
    if release.kind != "Install" and not release.accepted_at:
        ends += [_of_problem(situation, release, found), _of_stage(situation, release, found)]
    first = min((each for each in ends if each), key=lambda each: each.at, default=None)
    if first and found.passes_at and found.passes_at <= first.at:
        return None  # what comes next begins before, and has its own
    return first


def stage_ends(desired: Desired, stage: Stage, since: datetime) -> datetime | None:
    """What a stage that began at ``since`` may take; None: people and clocks decide."""
    if stage in UNHURRIED:
        return None
    if stage is Stage.MIGRATING:
        return since + desired.migration_deadline + JOB_GRACE
    allowed = desired.progress_deadline
    if stage is Stage.ROLLING:
        allowed *= SURGE_PARTS
    if stage is Stage.CHECKING:
        allowed += sum((gate.timeout for gate in desired.gates if not gate.after_promotion), timedelta())
    return since + allowed


def return_ends(situation: Situation, release: OpenRelease) -> datetime:
    """Until then a way back waits for enough pods; afterwards requests go to those that are ready. From its beginning:
    to be late is no progress.
    """
    return release.started + situation.desired.progress_deadline


def patience_ends(situation: Situation, release: OpenRelease) -> datetime:
    """Until then the way back waits for a relay; afterwards it goes on with what there is."""
    return release.since + situation.desired.progress_deadline


def moved_on(release: OpenRelease, found: StageStatus) -> bool:
    """Further than ever, or away from a stage in which time passes by intent. Else the deadline goes on."""
    return found.stage > release.reached or (release.reached in UNHURRIED and found.stage is not release.reached)


def _of_stage(situation: Situation, release: OpenRelease, found: StageStatus) -> Deadline | None:
    if found.by_person or (release.kind == "Rollback" and found.stage >= Stage.SWITCHING):
        return None
    at = stage_ends(situation.desired, found.stage, _since(situation, release, found))
    late = Failure("ProgressDeadlineExceeded", f"{found.stage.title} took too long: {found.waiting}")
    return Deadline(at, late) if at else None


def _of_problem(situation: Situation, release: OpenRelease, found: StageStatus) -> Deadline | None:
    view = situation.view(release.version)
    problem = health.trouble(situation, view) if view else None
    if problem is None or not Stage.MIGRATING <= found.stage <= Stage.WATCHING:
        return None
    # A pod tells since when it is not ready; the trouble may have begun long after that.
    began = problem.since if problem.reason == REFUSED else release.troubled_since or situation.now
    at = max(began, release.since) + PROBLEM_GRACE  # it goes on when the stage moves
    does = "is not healthy" if found.stage is Stage.WATCHING else "does not start"
    return Deadline(at, Failure(problem.reason, f"{release.version} {does}: {problem.message}"))


def _since(situation: Situation, release: OpenRelease, found: StageStatus) -> datetime:
    return situation.now if moved_on(release, found) else release.since
