"""The status of a Microservice: facts from it, and what is written into it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from ...planning import Plan
from ...planning.facts import Ended, Facts, Held, KeptSize, OpenRelease, Stage
from ...planning.observed import ANY
from ...planning.showing import Condition as ShownCondition
from ...spec import status as written
from .objects import active_selector


def status_of(microservice: Mapping[str, Any]) -> written.MicroserviceStatus:
    """One that can't be read (written by hand, or by a newer release) counts as none."""
    try:
        return written.MicroserviceStatus.model_validate(microservice.get("status") or {})
    except ValidationError:
        return written.MicroserviceStatus()


def facts_of(status: written.MicroserviceStatus) -> Facts:
    held, kept = status.held_version, status.kept_size
    return Facts(
        stable=status.stable_version or None,
        release=_release(status.release) if status.release else None,
        held=Held(held.version, held.reason, held.message, held.fingerprint, held.at) if held else None,
        draining=tuple((each.version, each.since) for each in status.draining),
        kept_size=KeptSize(kept.replicas, kept.size) if kept else None,
        attempts=status.attempts,
        paused=status.paused,
        history=tuple(_ended(each) for each in status.history),
    )


def _release(release: written.OpenRelease) -> OpenRelease:
    return OpenRelease(
        version=release.version,
        kind=release.kind,
        attempt=release.attempt,
        fingerprint=release.fingerprint,
        started=release.started,
        reached=Stage.of(release.reached),
        since=release.since,
        handover_started=release.handover_started,
        handover_ended=release.handover_ended,
        promoted_at=release.promoted_at,
        accepted_at=release.accepted_at,
    )


def _ended(record: written.ReleaseRecord) -> Ended:
    return Ended(
        version=record.version,
        label=record.label,
        kind=record.kind,
        started=record.started,
        ended=record.ended,
        result=record.result,
        reason=record.reason,
        handover_pause_ms=record.handover_pause_milliseconds,
    )


def new_status(
    plan: Plan, before: written.MicroserviceStatus, service: str, generation: int, now: datetime
) -> written.MicroserviceStatus:
    facts, shown = plan.facts, plan.shown
    selects = active_selector(service, shown.active or ANY)
    return written.MicroserviceStatus(
        observed_generation=generation,
        phase=shown.phase,
        step=shown.step,
        blocked_by=shown.blocked_by,
        active_version=shown.active,
        stable_version=facts.stable or "",
        candidate_version=shown.candidate,
        preview_version=shown.preview,
        held_version=_held(facts.held) if facts.held else None,
        attempts=facts.attempts,
        paused=facts.paused,
        release=_open(facts.release) if facts.release else None,
        draining=tuple(written.Draining(version=version, since=since) for version, since in facts.draining),
        kept_size=_kept(facts.kept_size) if facts.kept_size else None,
        readiness=shown.readiness,
        consumers=shown.consumers,
        replicas=shown.replicas,
        selector=",".join(f"{name}={value}" for name, value in selects.items()) if shown.active else "",
        conditions=tuple(_condition(each, before, generation, now) for each in shown.conditions),
        history=tuple(_record(each) for each in facts.history),
    )


def _held(held: Held) -> written.HeldVersion:
    return written.HeldVersion(
        version=held.version, reason=held.reason, message=held.message[:1024], fingerprint=held.fingerprint, at=held.at
    )


def _kept(kept: KeptSize) -> written.KeptSize:
    return written.KeptSize(replicas=kept.replicas, size=kept.size)


def _open(release: OpenRelease) -> written.OpenRelease:
    return written.OpenRelease(
        version=release.version,
        kind=release.kind,
        attempt=release.attempt,
        fingerprint=release.fingerprint,
        started=release.started,
        reached=release.reached.title,
        since=release.since,
        handover_started=release.handover_started,
        handover_ended=release.handover_ended,
        promoted_at=release.promoted_at,
        accepted_at=release.accepted_at,
    )


def _record(ended: Ended) -> written.ReleaseRecord:
    return written.ReleaseRecord(
        version=ended.version,
        label=ended.label,
        kind=ended.kind,
        started=ended.started,
        ended=ended.ended,
        result=ended.result,
        reason=ended.reason[:1024],
        handover_pause_milliseconds=ended.handover_pause_ms,
    )


def _condition(
    shown: ShownCondition, before: written.MicroserviceStatus, generation: int, now: datetime
) -> written.Condition:
    since = now
    for former in before.conditions:
        if former.type == shown.type and former.status == shown.status:
            since = former.last_transition_time
    return written.Condition(
        type=shown.type,
        status=shown.status,
        reason=shown.reason,
        message=shown.message[:1024],
        observed_generation=generation,
        last_transition_time=since,
    )


def as_manifest(status: written.MicroserviceStatus) -> dict[str, Any]:
    """Nothing that is absent is sent: under server-side apply, what is left out is taken away."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
