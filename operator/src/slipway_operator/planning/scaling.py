"""How many pods each version serves with, and which former versions go."""

from collections.abc import Iterator
from datetime import UTC, datetime

from .deadlines import SURGE_PARTS
from .facts import Stage
from .observed import JobState, VersionView
from .situation import Situation
from .stages import rolls
from .steps import ForgetVersion, ScaleServing, Step

_NEVER, _STILL = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def serving_steps(situation: Situation, stage: Stage | None) -> tuple[list[Step], list[Step]]:
    """Steps that add pods, and steps that take some away."""
    more: list[Step] = []
    fewer: list[Step] = []
    for view in situation.observed.versions.values():
        size = _size(situation, view, stage)
        if size is None:
            continue
        for component, workload in view.serving.items():
            if workload.wanted != size:
                step = ScaleServing(view.version, component, size)
                (more if size > workload.wanted else fewer).append(step)
    return more, fewer


def active_steps(situation: Situation) -> tuple[list[Step], list[Step]]:
    """The same for the active version alone."""
    view = situation.view(situation.current)
    if view is None:
        return [], []
    size = situation.active_size
    steps: list[Step] = [
        ScaleServing(view.version, name, size) for name, each in view.serving.items() if each.wanted != size
    ]
    return (steps, []) if size >= view.wanted else ([], steps)


def _size(situation: Situation, view: VersionView, stage: Stage | None) -> int | None:
    """None: as it is."""
    release, version = situation.release, view.version
    if situation.rolling and release:
        return _rolling_size(situation, view)
    if version == situation.facts.stopped_version:
        return 0
    if version == situation.current:
        unaccepted = release and version == release.version and not release.accepted_at
        return situation.full_size if unaccepted else situation.active_size
    if release and version == release.version:
        return _candidate_size(situation, view, max(stage or Stage.RECORDING, release.reached))
    if release and version == situation.facts.stable and not (situation.desired.rolling and situation.switched):
        return situation.active_size
    return 0 if _may_stop(situation, view) else None


def _candidate_size(situation: Situation, view: VersionView, stage: Stage) -> int | None:
    release = situation.release
    assert release  # noqa: S101 # the caller has seen it
    if not release.careful:
        return situation.full_size
    if stage <= Stage.MIGRATING:
        return None
    if stage <= Stage.CHECKING or rolls(situation, release):
        return min(max(view.wanted, situation.preview_size), situation.full_size)
    return situation.full_size


def _rolling_size(situation: Situation, view: VersionView) -> int | None:
    """The candidate grows by its surge, and the old version gives up what the candidate has ready."""
    release, full = situation.release, situation.full_size
    assert release  # noqa: S101 # the caller has seen it
    if not release.careful:
        if view.version == release.version:
            return full
        return 0 if _may_stop(situation, view) else None
    ready = situation.endpoints(release.version)
    if view.version == release.version:
        return min(full, max(situation.preview_size, ready + -(-full // SURGE_PARTS)))
    if view.version == situation.facts.stable:
        return max(1, full - ready)  # the last one goes when no request can reach it any more
    return 0 if _may_stop(situation, view) else None


def _may_stop(situation: Situation, view: VersionView) -> bool:
    """A version that nobody can reach any more, after its time for an instant way back."""
    if view.version == situation.observed.active:
        return False
    # While Deployments are taken over, their Service finds the pods of a first version as well; they answer without it.
    if situation.observed.active_endpoints.get(view.version) and not situation.foreign_endpoints:
        return False
    if situation.blackout and view.version == situation.facts.stable:
        return False  # the only one that could answer
    directive = situation.desired.directive
    if directive and directive.open and view.version == directive.came_from and not situation.desired.rolling:
        return False  # the plan may send this service back
    ends = drain_end(situation, view.version)
    # A Service that selects all versions must not find this one.
    return ends is None or situation.now >= ends or (_rolls_now(situation))


def _rolls_now(situation: Situation) -> bool:
    release = situation.release
    return situation.desired.rolling and release is not None and release.careful and situation.reached(Stage.ROLLING)


def drain_end(situation: Situation, version: str) -> datetime | None:
    for name, since in situation.facts.draining:
        if name == version:
            return since + situation.desired.scale_down_delay
    return None


def forget_steps(situation: Situation) -> Iterator[Step]:
    """The records beyond those that are kept, the longest unused first; during a release as well, which may wait for a
    person for long.

    Of a version whose record was deleted nothing is worth keeping.
    """
    desired, facts = situation.desired, situation.facts
    needed = {facts.stable, situation.observed.active, situation.target, desired.version, desired.back_to}
    needed.add(facts.held.version if facts.held else None)
    needed.add(desired.directive.came_from if desired.directive else None)
    idle = [
        view
        for view in situation.observed.versions.values()
        if view.version not in needed and not view.forgotten and not _is_at_work(situation, view)
    ]
    idle.sort(key=_last_use)
    recorded = [view for view in idle if view.recorded]
    kept = recorded[max(0, len(recorded) - desired.history) :]
    for view in idle:
        if view not in kept:
            yield ForgetVersion(view.version)


def _last_use(view: VersionView) -> tuple[datetime, int]:
    """What was active last is the way back, however old its record is; what never was goes first."""
    noted = view.noted
    return noted.active_until or (_STILL if noted.active_from else _NEVER), view.revision


def _is_at_work(situation: Situation, view: VersionView) -> bool:
    """It has pods, or shall have some; or a migration of it runs, which must not be ended in the middle."""
    workloads = (*view.serving.values(), *view.workers.values())
    migrates = any(
        name == view.version and job.state is JobState.RUNNING
        for (name, _), job in situation.observed.migrations.items()
    )
    return migrates or any(each.wanted or each.pods for each in workloads)
