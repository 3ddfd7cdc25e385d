"""What people and tools read: phase, step, the one fact that blocks, and conditions as kstatus knows them."""

from dataclasses import dataclass
from typing import Literal

from ..spec.microservice import Phase
from . import health, suspension, unaccepted
from .deadlines import stage_ends
from .desired import PLAN_FAILED, Desired
from .facts import RETIRED, Held, Stage
from .handover import Handover
from .observed import VersionView
from .situation import Situation
from .stage_status import StageStatus

WORKERS_NOT_READY = "WorkersNotReady"
HELD_BACK = "HeldBack"
Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    status: Truth
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class StatusView:
    phase: Phase
    step: str
    blocked_by: str
    active: str
    candidate: str
    preview: str
    readiness: str
    consumers: str
    replicas: int
    conditions: tuple[Condition, ...]


def status_view(situation: Situation, found: StageStatus | None, moved: Handover, refused: str) -> StatusView:
    phase, blocked = _phase(situation, found, moved, refused)
    release = situation.release
    return StatusView(
        phase=phase,
        step=found.stage.title if found and release else "",
        blocked_by=blocked[:1024],
        active=situation.observed.active or "",
        candidate=release.version if release and release.kind != "Undo" and not release.accepted_at else "",
        preview=situation.observed.preview or "",
        readiness="{}/{}".format(*_ready(situation)),
        consumers=_consumers(situation),
        replicas=sum(max([each.pods for each in view.serving.values()], default=0) for view in _answering(situation)),
        conditions=_conditions(situation, found, moved, phase, blocked[:1024]),
    )


def _phase(situation: Situation, found: StageStatus | None, moved: Handover, refused: str) -> tuple[Phase, str]:
    if situation.desired.suspend == "All":
        return "Suspended", suspension.said(situation)
    if situation.desired.paused:
        return "Paused", "release.paused is true"
    if situation.release and found:
        phase, blocked = _phase_of_release(situation, found)
        return phase, "; ".join(each for each in (blocked, unaccepted.said(situation)) if each)
    return _phase_at_rest(situation, moved, refused)


def _phase_at_rest(situation: Situation, moved: Handover, refused: str) -> tuple[Phase, str]:
    facts = situation.facts
    desired = situation.desired
    if facts.held and facts.held.version in {desired.pinned or desired.version, desired.back_to}:
        held = facts.held
        return "Failed", f"{held.version} is held: {held.message}. {_cure(desired, held)}"
    if refused:
        return "Blocked", refused
    if situation.target is None:
        return "Pending", ""
    return "Released", moved.waiting or held_back(situation)


def _cure(desired: Desired, held: Held) -> str:
    """What a person can do about it, and what works."""
    if held.reason == RETIRED:
        return "Release another version: change what the spec runs"
    directive = desired.directive
    if held.reason == PLAN_FAILED and directive and not directive.open:
        return f"Release it by another plan, or delete plan {directive.plan} and set release.retry to a new value"
    return "Change the spec, or set release.retry to a new value"


def held_back(situation: Situation) -> str:
    """Why the spec's version is not released, where a rollback stands; empty: none does."""
    pinned, version = situation.desired.pinned, situation.desired.version
    if not pinned or pinned == version or situation.target != pinned:
        return ""
    return f"release.activeVersion holds {version} of the spec back: remove it (kubectl slipway retry) to release that"


def _phase_of_release(situation: Situation, found: StageStatus) -> tuple[Phase, str]:
    release, facts = situation.release, situation.facts
    assert release  # noqa: S101 # the caller has seen it
    blocked = f"{situation.name_of(release.version)}: {found.waiting}" if found.waiting else ""
    if release.kind == "Undo":
        why = f"; it goes back because {facts.held.message}" if facts.held else ""
        return "RollingBack", blocked + why
    if release.accepted_at:
        return "Finishing", blocked
    if release.kind == "Rollback":
        return "RollingBack", blocked
    if found.by_person:
        return ("Blocked" if situation.observed.not_ours == found.waiting else "Waiting"), blocked
    return ("Watching" if found.stage is Stage.WATCHING else "Releasing"), blocked


def _consumers(situation: Situation) -> str:
    parts = [
        f"{view.consumers.ready}/{view.consumers.wanted} of {name}"
        for name, view in situation.observed.versions.items()
        if view.consumers.wanted
    ]
    return ", ".join(parts)[:64]


def _conditions(
    situation: Situation, found: StageStatus | None, moved: Handover, phase: Phase, blocked: str
) -> tuple[Condition, ...]:
    made = [*_kstatus(situation, found, moved, phase, blocked)]
    release = situation.release
    if situation.target is not None:
        done = situation.facts.stable == situation.desired.version and not (release and not release.accepted_at)
        reason = HELD_BACK if phase == "Released" and held_back(situation) else phase
        made.append(Condition("Released", "True" if done else "False", reason, "" if done else blocked))
    if release and release.careful and release.reached > Stage.MIGRATING:
        checked = release.reached > Stage.CHECKING
        made.append(Condition("ChecksPassed", "True" if checked else "False", "Checked" if checked else "Checking"))
    elif situation.facts.held and situation.facts.held.reason == "GateFailed":
        made.append(Condition("ChecksPassed", "False", "GateFailed", situation.facts.held.message))
    if situation.desired.suspend != "None":
        made.append(Condition("Suspended", "True", situation.desired.suspend, suspension.said(situation)))
    elif any(view.consumer for view in situation.observed.versions.values()):
        made.append(_consumers_handed_over(situation, moved))
    return tuple(made)


def _consumers_handed_over(situation: Situation, moved: Handover) -> Condition:
    if not moved.done:
        return Condition("ConsumersHandedOver", "False", "HandingOver", moved.waiting)
    if not situation.desired.asks_brokers:
        message = "No broker is asked, since events.bootstrapServers is not set: pods that are gone are enough"
        return Condition("ConsumersHandedOver", "True", "PodsAreEnough", message)
    pause = situation.release.handover_pause_ms if situation.release else None
    message = "" if pause is None else f"{pause / 1000:.1f} s without a consumer"
    return Condition("ConsumersHandedOver", "True", "HandedOver", message)


def _kstatus(
    situation: Situation, found: StageStatus | None, moved: Handover, phase: Phase, blocked: str
) -> list[Condition]:
    """Reconciling and Stalled are there only while they are true. One that waits for a person is Ready."""
    healthy = _healthy(situation)
    if phase == "Suspended":
        ending = any(each.pods for each in situation.observed.versions.values())
        ready = Condition("Ready", "False", phase, blocked)
        return [ready, Condition("Reconciling", "True", phase, blocked)] if ending else [ready]
    watched = unaccepted.said(situation)
    if watched and phase not in {"Failed", "Blocked"}:
        return _not_accepted(situation, watched, healthy=healthy)
    if phase in {"Failed", "Blocked"} or _stuck(situation, found):
        reason = situation.facts.held.reason if situation.facts.held and phase == "Failed" else "CannotProceed"
        return [Condition("Ready", "False", reason, blocked), Condition("Stalled", "True", reason, blocked)]
    if phase in {"Pending", "Releasing", "Watching", "RollingBack"}:
        return [
            Condition("Ready", "Unknown" if healthy else "False", "Progressing", blocked),
            Condition("Reconciling", "True", found.stage.title if found else phase, blocked),
        ]
    if not healthy or not moved.done:
        reason = WORKERS_NOT_READY if healthy else "NotReady"
        message = (moved.waiting or blocked) if healthy else _unready(situation)
        return [Condition("Ready", "False", reason, message), Condition("Reconciling", "True", reason, message)]
    return _at_rest(situation, phase, blocked)


def _at_rest(situation: Situation, phase: Phase, blocked: str) -> list[Condition]:
    if phase == "Released" and held_back(situation):  # whoever waits for the spec waits for nothing
        return [Condition("Ready", "False", HELD_BACK, blocked), Condition("Stalled", "True", HELD_BACK, blocked)]
    return [Condition("Ready", "True", phase, blocked)]


def _healthy(situation: Situation) -> bool:
    ready, wanted = _ready(situation)
    return ready > 0 and ready >= wanted


def _answering(situation: Situation) -> list[VersionView]:
    """Those behind the active Service: one, or all of them while pods are replaced one by one (Rolling)."""
    if situation.rolling:
        return list(situation.observed.versions.values())
    view = situation.view(situation.current)
    return [view] if view else []


def _ready(situation: Situation) -> tuple[int, int]:
    """Pods that answer, and how many there shall be."""
    answering = _answering(situation)
    wanted = situation.active_size if situation.rolling else sum(view.wanted for view in answering)
    return sum(view.endpoints for view in answering), wanted


def _not_accepted(situation: Situation, watched: str, *, healthy: bool) -> list[Condition]:
    kept = situation.facts.unaccepted
    good = healthy and kept is not None and not kept.failed
    ready = Condition("Ready", "Unknown" if good else "False", "NotAccepted", watched)
    return [ready, Condition("Reconciling", "True", "NotAccepted", watched)]


def _unready(situation: Situation) -> str:
    view = situation.view(situation.current)
    return health.pods_ready(view, view.wanted) if view else "no version gets requests"


def _stuck(situation: Situation, found: StageStatus | None) -> bool:
    """A first version waits on after its deadline, since there is nothing to go back to; but it says so."""
    release = situation.release
    if not release or not found or release.kind != "Install" or not found.waiting or found.stage >= Stage.WATCHING:
        return False
    ends = stage_ends(situation.desired, found.stage, release.since)
    return ends is not None and situation.now >= ends
