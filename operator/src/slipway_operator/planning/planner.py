"""All parts together: facts first, then the steps in an order that adds before it takes away."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..spec.hashing import UNKNOWN
from . import activity, deadlines, decisions, handover, scaling, stages, suspension, unaccepted
from .conditions import StatusView, status_view
from .desired import Desired
from .facts import Facts, Stage
from .handover import Handover
from .observed import ANY, Observed
from .situation import Situation
from .stage_status import StageStatus
from .steps import Emit, ScaleServing, ScaleWorkers, SelectPreview, Step, SwitchActive

# Opening, failing, going back, promoting, accepting and closing can follow each other in one look.
DECISIONS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Decision:
    """Write ``facts`` and ``status_view`` to the status, then carry out ``steps`` in order; stop at the first error.

    Facts never describe an effect that a later step must have: so an operator that ends in between loses nothing.
    """

    steps: tuple[Step, ...]
    facts: Facts
    status_view: StatusView
    requeue_after: timedelta | None = None  # look again then, even if nothing changes; None: no need


def plan(observed: Observed, desired: Desired, now: datetime) -> Decision:
    facts = observed.facts.of_spec(desired.fingerprint, {desired.former_fingerprint, UNKNOWN})
    facts, told = suspension.noted(facts, desired, now)
    if observed.facts.suspended == "All" != desired.suspend:
        facts, followed = suspension.followed_unseen(replace(observed, facts=facts), desired, now)
        told += followed
    observed = replace(observed, facts=facts)
    if desired.suspend == "All":
        return _suspended(observed, desired, now, told)
    if desired.paused:
        return _paused(observed, desired, now, told)
    facts = decisions.remembered(observed, desired, now)
    wanted = decisions.target_version(observed, desired, facts.stable)
    facts = suspension.let_go(observed, facts, wanted)
    situation, found, events = _decided(observed, desired, facts, wanted, now)
    opened = situation.facts.release
    situation, watched, more = unaccepted.looked_at(situation)
    if found and situation.facts.release and situation.facts.release != opened:
        found = stages.stage_status(situation, situation.facts.release)  # it has something to wait for now
    situation = replace(situation, facts=_still_draining(situation))
    moved = _workers(situation, found)
    steps = [*told, *events, *more, *_steps(situation, found, moved, watched)]
    return Decision(
        tuple(steps),
        situation.facts,
        status_view(situation, found, moved, wanted.refused),
        _requeue(situation, found, watched),
    )


def _decided(
    observed: Observed, desired: Desired, facts: Facts, wanted: decisions.TargetVersion, now: datetime
) -> tuple[Situation, StageStatus | None, list[Emit]]:
    events: list[Emit] = []
    found: StageStatus | None = None
    for _ in range(DECISIONS_AT_ONCE):
        facts, target, told = decisions.decide(observed, desired, facts, wanted, now)
        events += told
        situation = Situation(observed, desired, facts, now, target)
        if facts.release is None:
            return situation, None, events
        found = stages.stage_status(situation, facts.release)
        failure = decisions.should_fail(situation, facts.release, found)
        if failure:
            facts, told = decisions.failed(situation, failure)
        else:
            facts, told = decisions.progressed(situation, found)
        events += told
        if facts is situation.facts:
            break
    return Situation(observed, desired, facts, now, target), found, events


def _suspended(observed: Observed, desired: Desired, now: datetime, told: Sequence[Step]) -> Decision:
    """All is taken down, and nothing else happens: what is open stands still."""
    facts = decisions.remembered(observed, desired, now)
    wanted = decisions.target_version(observed, desired, facts.stable)
    facts, events = suspension.followed(observed, desired, facts, wanted, now)
    held = facts.held is not None and facts.held.version == wanted.version
    situation = Situation(observed, desired, facts, now, facts.stable if held else wanted.version)
    situation = replace(situation, facts=_still_draining(situation))
    steps = (*told, *events, *suspension.all_down(situation))
    return Decision(steps, situation.facts, status_view(situation, None, Handover(), wanted.refused))


def _paused(observed: Observed, desired: Desired, now: datetime, told: Sequence[Step]) -> Decision:
    """What runs goes on running, at the size that is wanted; nothing else is touched."""
    facts = replace(decisions.with_stable(observed, desired, observed.facts), paused=True)
    situation = Situation(observed, desired, facts, now, None)
    situation = replace(situation, target=situation.current)
    owner = handover.consumer_owner(situation) or situation.current
    moved = handover.hand_over(situation, owner, forward=False) if owner else Handover()
    if desired.suspend == "Workers":
        moved = suspension.workers_down(situation)
    more, fewer = scaling.active_steps(situation)
    steps = (*told, *_served_again(situation), *more, *moved.steps, *fewer)
    return Decision(steps, facts, status_view(situation, None, moved, ""))


def _served_again(situation: Situation) -> list[SwitchActive]:
    """Somebody deleted the active Service: who had its requests gets them again."""
    release, stable = situation.release, situation.facts.stable
    if situation.observed.active is not None:
        return []
    promoted = release.version if release and release.careful and release.promoted_at else None
    served = next((each for each in (promoted, stable) if each and situation.endpoints(each)), None)
    return [SwitchActive(served)] if served else []


def _still_draining(situation: Situation) -> Facts:
    kept = tuple(
        (name, since)
        for name, since in situation.facts.draining
        if (view := situation.view(name)) and name != situation.current and (view.wanted or view.pods)
    )
    return situation.facts if kept == situation.facts.draining else replace(situation.facts, draining=kept)


def _workers(situation: Situation, found: StageStatus | None) -> Handover:
    """Workers belong to the version that gets requests. Going forward they move before the requests do."""
    release = situation.release
    if situation.desired.suspend == "Workers":
        return suspension.workers_down(situation)
    if release and release.careful and found and max(found.stage, release.reached) >= Stage.HANDING_OVER:
        return handover.hand_over(situation, release.version, forward=True)
    owner = situation.current or _switched_now(found)
    if owner:
        return handover.hand_over(situation, owner, forward=False)
    if situation.facts.stable:
        # Several versions get requests (Rolling), or the active Service was deleted: that stops no worker.
        return handover.hand_over(situation, situation.facts.stable, forward=False)
    return Handover(tuple(_stray_workers(situation)))


def _switched_now(found: StageStatus | None) -> str | None:
    """No single version gets requests, and this look gives them to one."""
    switches = [step.version for step in found.steps if isinstance(step, SwitchActive)] if found else []
    return switches[0] if switches and switches[0] != ANY else None


def _stray_workers(situation: Situation) -> list[ScaleWorkers]:
    """No version is active yet: workers of a version that is no longer wanted have no business."""
    return [
        ScaleWorkers(view.version, component, 0)
        for view in situation.others(situation.target)
        for component, workload in view.workers.items()
        if workload.wanted
    ]


def _steps(situation: Situation, found: StageStatus | None, moved: Handover, watched: StageStatus | None) -> list[Step]:
    more, fewer = scaling.serving_steps(situation, found.stage if found else None)
    staged = [step for step in found.steps if not isinstance(step, ScaleWorkers)] if found else []
    if watched and not any(isinstance(step, SwitchActive) for step in staged):
        staged += [step for step in watched.steps if not isinstance(step, ScaleWorkers)]
    # Switches wait for nothing: a Deployment that the runtime can't make must not keep requests from an answer.
    switches = [*_rescue(situation, staged), *(step for step in staged if isinstance(step, SwitchActive))]
    others = [step for step in staged if not isinstance(step, SwitchActive)]
    steps: list[Step] = [*switches, *more, *others, *moved.steps]
    going = {step.version for step in fewer if isinstance(step, ScaleServing) and not step.replicas}
    steps += stages.drain_steps(situation, staged, going)
    steps += _preview(situation)
    steps += fewer
    if situation.release is None:
        steps += _recorded_again(situation)
    steps += activity.steps(situation)
    steps += scaling.forget_steps(situation)
    return steps


def _recorded_again(situation: Situation) -> tuple[Step, ...]:
    """Its record was deleted by hand, and the spec still has what was in it."""
    view = situation.view(situation.desired.version)
    found = stages.recording(situation, view.version, view) if view and not view.recorded else None
    return found.steps if found else ()


def _rescue(situation: Situation, staged: Sequence[Step]) -> list[Step]:
    """Nobody answers behind the active Service, and the stable version could; or a switch was cut in the middle."""
    stable, current = situation.facts.stable, situation.current
    if any(isinstance(step, SwitchActive) for step in staged):
        return []
    if situation.observed.active_split and current and situation.endpoints(current):
        return [SwitchActive(current)]
    if situation.blackout and stable and current != stable and situation.endpoints(stable):
        return [SwitchActive(stable)]
    release = situation.release
    if situation.rolling and release and not release.careful and not situation.endpoints(stable):
        # Its pods have all the requests already; and a fix must not wait for a stable version that is broken.
        best = max(situation.observed.versions.values(), key=lambda view: view.endpoints, default=None)
        return [SwitchActive(best.version)] if best and best.endpoints else []
    return []


def _preview(situation: Situation) -> list[Step]:
    """Between releases the preview Service answers nothing, rather than with the active version."""
    preview, release = situation.observed.preview, situation.release
    if preview is None or (release and release.careful and not release.accepted_at and preview == release.version):
        return []
    return [SelectPreview(None)]


def _requeue(situation: Situation, found: StageStatus | None, watched: StageStatus | None) -> timedelta | None:
    release = situation.release
    times = [scaling.drain_end(situation, name) for name, _ in situation.facts.draining]
    if release and found:
        deadline = deadlines.deadline_of(situation, release, found)
        stage_ends = deadlines.stage_ends(situation.desired, found.stage, release.since)
        times += [found.again_at, stage_ends, deadline.at if deadline else None]
    kept = situation.facts.unaccepted
    if kept and watched:
        deadline = deadlines.deadline_of(situation, kept.release, watched)
        times += [watched.again_at, deadline.at if deadline else None]
    ahead = [each - situation.now for each in times if each and each > situation.now]
    return min(ahead, default=None)
