"""Facts and what is shown, to the status of the custom resource and back."""

from datetime import datetime

from ..spec.status import (
    Condition,
    Draining,
    HeldVersion,
    KeptSize,
    MicroserviceStatus,
    OpenRelease,
    Promotion,
    ReleaseRecord,
    UnacceptedVersion,
)
from . import facts as f
from .conditions import WORKERS_NOT_READY
from .conditions import Condition as Said
from .desired import Desired
from .observed import ANY, FOREIGN
from .planner import Decision
from .steps import Emit

UNREADABLE = "Unreadable"  # why a service stands still whose spec is none for this operator


def status_of(
    made: Decision, former: MicroserviceStatus, *, selector: str, generation: int, now: datetime
) -> MicroserviceStatus:
    """The status to write. Equal to the former one while nothing changes, so that nothing is written.

    ``selector`` finds the active version's pods for autoscalers; which labels pods have, the runtime knows alone.
    """
    facts, status_view = made.facts, made.status_view
    return MicroserviceStatus(
        observed_generation=generation,
        phase=status_view.phase,
        step=status_view.step,
        blocked_by=status_view.blocked_by,
        active_version=(facts.stable or "") if status_view.active == ANY else status_view.active.strip(FOREIGN),
        stable_version=facts.stable or "",
        candidate_version=status_view.candidate,
        preview_version=status_view.preview,
        held_version=_held(facts.held),
        attempts=facts.attempts,
        paused=facts.paused,
        suspended=facts.suspended,
        stopped_version=facts.stopped_version or "",
        contract_pending=facts.contract_pending or "",
        promotion=Promotion(reference=facts.promotion.reference, attempt=facts.promotion.attempt)
        if facts.promotion
        else None,
        release=_release(facts.release),
        unaccepted=_unaccepted(facts.unaccepted),
        draining=tuple(Draining(version=name, since=since) for name, since in facts.draining),
        kept_size=KeptSize(replicas=facts.kept_size.replicas, size=facts.kept_size.size) if facts.kept_size else None,
        readiness=status_view.readiness,
        consumers=status_view.consumers,
        replicas=status_view.replicas,
        selector=selector,
        conditions=conditions(status_view.conditions, former.conditions, generation, now),
        history=tuple(_record(each) for each in facts.history),
        **(former.model_extra or {}),
    )


def stalled(
    former: MicroserviceStatus, *, reason: str, message: str, generation: int, now: datetime
) -> MicroserviceStatus:
    """The status of a service that can't even be planned: what was known stays, so that it goes on where it stood."""
    said = (Said("Ready", "False", reason, message), Said("Stalled", "True", reason, message))
    return former.model_copy(
        update={
            "observed_generation": generation,
            "phase": "Blocked",
            "blocked_by": message[:1024],
            "conditions": conditions(said, former.conditions, generation, now),
        }
    )


def facts_of(status: MicroserviceStatus) -> f.Facts:
    held, release, kept, said = status.held_version, status.release, status.kept_size, status.promotion
    return f.Facts(
        stable=status.stable_version or None,
        release=_open(release) if release else None,
        unaccepted=_kept_unaccepted(status.unaccepted),
        held=f.Held(held.version, held.reason, held.message, held.fingerprint, held.at) if held else None,
        draining=tuple((each.version, each.since) for each in status.draining),
        kept_size=f.KeptSize(kept.replicas, kept.size) if kept else None,
        attempts=status.attempts,
        paused=status.paused,
        suspended=status.suspended,
        stopped_version=status.stopped_version or None,
        promotion=f.Promotion(said.reference, said.attempt) if said else None,
        contract_pending=status.contract_pending or None,
        history=tuple(_ended(each) for each in status.history),
    )


def facts_for(status: MicroserviceStatus, desired: Desired) -> f.Facts:
    """The facts, where they were written for this very spec: with its digest of now, which was another one where
    another release of the operator wrote it. Nothing was compared while it was paused, or could not be read.
    """
    facts = facts_of(status)
    unread = any(each.type == "Stalled" and each.reason == UNREADABLE for each in status.conditions)
    if status.observed_generation != desired.generation or status.paused or unread:
        return facts
    stored = [each.fingerprint for each in (facts.held, facts.release) if each]
    return facts.of_spec(desired.fingerprint, stored)


def newly_unready(former: MicroserviceStatus, after: MicroserviceStatus) -> Emit | None:
    """Workers of a version at rest fall without a change of any fact: that is told once, when the condition says so."""
    was, now = _ready(former), _ready(after)
    if now is None or now.reason != WORKERS_NOT_READY or (was and was.reason == now.reason):
        return None
    return Emit(now.reason, now.message, "Warning")


def _ready(status: MicroserviceStatus) -> Condition | None:
    return next((each for each in status.conditions if each.type == "Ready"), None)


def conditions(
    said: tuple[Said, ...], former: tuple[Condition, ...], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """A condition keeps the time of its last change of status, as kstatus and people expect."""
    before = {each.type: each for each in former}
    made = []
    for each in said:
        old = before.get(each.type)
        since = old.last_transition_time if old and old.status == each.status else now
        made.append(
            Condition(
                type=each.type,
                status=each.status,
                reason=each.reason,
                message=each.message[:1024],
                observed_generation=generation,
                last_transition_time=since,
            )
        )
    return tuple(made)


def _held(held: f.Held | None) -> HeldVersion | None:
    if held is None:
        return None
    message = held.message[:1024]
    return HeldVersion(
        version=held.version, reason=held.reason, message=message, fingerprint=held.fingerprint, at=held.at
    )


def _release(release: f.OpenRelease | None) -> OpenRelease | None:
    if release is None:
        return None
    return OpenRelease(
        version=release.version,
        kind=release.kind,
        attempt=release.attempt,
        fingerprint=release.fingerprint,
        started=release.started,
        reached=release.reached.title,
        since=release.since,
        troubled_since=release.troubled_since,
        workers_lost_since=release.workers_lost_since,
        handover_started=release.handover_started,
        handover_ended=release.handover_ended,
        plan=release.plan,
        promoted_at=release.promoted_at,
        accepted_at=release.accepted_at,
    )


def _unaccepted(kept: f.Unaccepted | None) -> UnacceptedVersion | None:
    release = _release(kept.release) if kept else None
    if kept is None or release is None:
        return None
    return UnacceptedVersion(release=release, failed=kept.failed, failed_at=kept.failed_at)


def _kept_unaccepted(kept: UnacceptedVersion | None) -> f.Unaccepted | None:
    return f.Unaccepted(_open(kept.release), kept.failed, kept.failed_at) if kept else None


def _open(release: OpenRelease) -> f.OpenRelease:
    return f.OpenRelease(
        version=release.version,
        kind=release.kind,
        attempt=release.attempt,
        fingerprint=release.fingerprint,
        started=release.started,
        reached=f.Stage.of(release.reached),
        since=release.since,
        troubled_since=release.troubled_since,
        workers_lost_since=release.workers_lost_since,
        handover_started=release.handover_started,
        handover_ended=release.handover_ended,
        plan=release.plan,
        promoted_at=release.promoted_at,
        accepted_at=release.accepted_at,
    )


def _record(ended: f.Ended) -> ReleaseRecord:
    return ReleaseRecord(
        version=ended.version,
        label=ended.label[:64],
        kind=ended.kind,
        started=ended.started,
        ended=ended.ended,
        result=ended.result,
        reason=ended.reason[:1024],
        handover_pause_milliseconds=ended.handover_pause_ms,
    )


def _ended(record: ReleaseRecord) -> f.Ended:
    return f.Ended(
        version=record.version,
        label=record.label,
        kind=record.kind,
        started=record.started,
        ended=record.ended,
        result=record.result,
        reason=record.reason,
        handover_pause_ms=record.handover_pause_milliseconds,
    )
