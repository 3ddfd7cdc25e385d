"""What `kubectl slipway plan` says and decides about a ReleasePlan. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from ..planning.waves import refusal
from ..spec.releaseplan import ReleasePlanSpec, ReleasePlanStatus
from ..spec.stored import read_stored
from .errors import NotPossible
from .text import span


@dataclass(frozen=True, slots=True)
class PlanSnapshot:
    name: str
    spec: ReleasePlanSpec
    status: ReleasePlanStatus
    current: bool  # the operator has seen this spec
    now: datetime

    @property
    def over(self) -> bool:
        return self.current and self.status.ended is not None


@dataclass(frozen=True, slots=True)
class PlanPatch:
    said: str
    patch: Mapping[str, Any] = field(default_factory=dict)


def plan_snapshot(manifest: Mapping[str, Any], now: datetime) -> PlanSnapshot:
    metadata = manifest["metadata"]
    try:
        spec = ReleasePlanSpec.model_validate(manifest["spec"])
        status = read_stored(ReleasePlanStatus, manifest.get("status"))
    except ValidationError:
        raise NotPossible(
            f"plan {metadata['name']} is of another release than this program: install both anew"
        ) from None
    return PlanSnapshot(metadata["name"], spec, status, status.observed_generation == metadata["generation"], now)


def plan_lines(snapshot: PlanSnapshot) -> list[str]:
    """One line for the plan, one for what blocks it, and one per service below its wave."""
    status, spec = snapshot.status, snapshot.spec
    count = sum(len(wave.services) for wave in spec.waves)
    began = f"for {span(snapshot.now - status.started)}" if status.started and not status.ended else ""
    ended = f"{span(snapshot.now - status.ended)} ago" if status.ended else ""
    head = [f"plan {snapshot.name}: {status.phase}", f"{status.released} of {count} released", ended or began]
    lines = [", ".join(part for part in head if part)]
    for label, words in (("because", status.failure), ("waits", status.blocked_by)):
        lines += [f"  {label}: {words}"] if words else []
    if not snapshot.current:
        lines.append("  the operator has not looked at it yet")
    told = {each.name: each for each in status.services}
    for wave in spec.waves:
        lines.append(f"  wave {wave.name}" + (" (now)" if wave.name == status.wave and not status.ended else ""))
        for service in wave.services:
            one = told.get(service.name)
            state = f"{one.state}" if one else "not looked at yet"
            said = f": {one.message}" if one and one.message and one.state not in {"Released", "Back"} else ""
            lines.append(f"    {service.name} {service.version}  {state}{said}")
    return lines


def promote_plan(snapshot: PlanSnapshot) -> PlanPatch:
    _refuse_if_over(snapshot)
    why = refusal(snapshot.spec)
    if why:
        raise NotPossible(f"plan {snapshot.name} can never be carried out: {why}")
    if not snapshot.spec.paused:
        return PlanPatch(f"plan {snapshot.name} goes on by itself: nothing has to be promoted")
    return PlanPatch(f"plan {snapshot.name} goes on", {"spec": {"paused": False}})


def abort_plan(snapshot: PlanSnapshot) -> PlanPatch:
    _refuse_if_over(snapshot)
    if snapshot.status.failure:
        return PlanPatch(f"plan {snapshot.name} is on its way back already: {snapshot.status.failure}")
    return PlanPatch(f"plan {snapshot.name} is aborted: all its services go back", {"spec": {"abort": True}})


def _refuse_if_over(snapshot: PlanSnapshot) -> None:
    if snapshot.over:
        cure = "roll services back one by one (kubectl slipway rollback), or make a plan with another name"
        raise NotPossible(
            f"plan {snapshot.name} has ended ({snapshot.status.phase}), and a plan is carried out once: {cure}"
        )
