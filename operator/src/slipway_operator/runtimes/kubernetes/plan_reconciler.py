"""ReleasePlans: one look at one plan, and what the plans of a namespace say to one service.

A plan writes nothing but its own status. A service reads there what it is told, with everything else it looks at.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from ...errors import NotLeading, Outdated
from ...planning.conditions import Condition
from ...planning.desired import PlanDirective
from ...planning.status import conditions
from ...planning.steps import Emit
from ...planning.waves import Outlook, ServiceView, coordinate, directive_of, refusal, view_of
from ...spec.hashing import hash_of, version_hash
from ...spec.microservice import MicroserviceSpec
from ...spec.releaseplan import ReleasePlanSpec, ReleasePlanStatus
from ...spec.status import MicroserviceStatus
from ...spec.stored import read_stored
from .api.client import Client
from .api.event_recorder import post_event
from .api.kinds import MICROSERVICE, RELEASE_PLAN, Key

log = logging.getLogger(__name__)

Manifest = dict[str, Any]
AT_ONCE = timedelta(milliseconds=100)
ENDED = {"Succeeded", "Failed"}


class PlanReconciler:
    def __init__(
        self, client: Client, *, identity: str, tell: Callable[[Key], None], clock: Callable[[], datetime]
    ) -> None:
        """``tell``: a service has an order that it has not read yet."""
        self._client = client
        self._identity = identity
        self._tell = tell
        self._clock = clock

    async def reconcile(self, key: Key) -> timedelta | None:
        try:
            return await self._reconcile(key)
        except NotLeading:
            return None
        except Outdated:
            return AT_ONCE

    async def _reconcile(self, key: Key) -> timedelta | None:
        plans = await self._client.list(RELEASE_PLAN, key.namespace)
        found = next((each for each in plans if each["metadata"]["name"] == key.name), None)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return None
        spec, before, now = ReleasePlanSpec.model_validate(found["spec"]), _status(found), self._clock()
        generation = found["metadata"]["generation"]
        if before.ended and before.observed_generation == generation:
            return None
        outlook = coordinate(spec, before, await self._views(key, spec, _older(plans, found)), now)
        after = _status_of(outlook, before, generation, now)
        if after != before or not found.get("status"):
            await self._write(key, found, after)
            await self._announce(found, before, after, now)
        told = {(each.name, each.order, each.version) for each in before.services}
        for each in after.services:
            if (each.name, each.order, each.version) not in told or after.phase != before.phase:
                self._tell(Key(key.namespace, each.name))
        return None

    async def _views(self, key: Key, spec: ReleasePlanSpec, older: Sequence[Manifest]) -> dict[str, ServiceView]:
        made: dict[str, ServiceView] = {}
        for service in (service for wave in spec.waves for service in wave.services):
            microservice = await self._client.get(MICROSERVICE, key.namespace, service.name)
            if microservice is not None and not microservice["metadata"].get("deletionTimestamp"):
                made[service.name] = _view(microservice, older)
        return made

    async def _write(self, key: Key, found: Manifest, status: ReleasePlanStatus) -> None:
        manifest = {
            "metadata": {"name": key.name, "resourceVersion": found["metadata"]["resourceVersion"]},
            "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        await self._client.apply(RELEASE_PLAN, key.namespace, manifest, subresource="status")

    async def _announce(
        self, found: Manifest, before: ReleasePlanStatus, after: ReleasePlanStatus, now: datetime
    ) -> None:
        if (before.phase, before.wave) == (after.phase, after.wave):
            return
        said = (
            after.failure or after.blocked_by or (f"wave {after.wave}" if after.wave else "all services are released")
        )
        log.info("plan %s: %s %s", found["metadata"]["name"], after.phase, said)
        kind: Literal["Normal", "Warning"] = (
            "Warning" if after.phase in {"Returning", "Failed", "Blocked"} else "Normal"
        )
        emit = Emit(f"Plan{after.phase}", said, kind)
        await post_event(self._client, RELEASE_PLAN, found, emit, of=after.wave, by=self._identity, at=now)


async def plans_of(client: Client, namespace: str, service: str, *, recent: bool) -> list[Manifest]:
    """The plans that name a service, the oldest first."""
    plans = await client.list(RELEASE_PLAN, namespace, recent=recent)
    return sorted((each for each in plans if _names(each, service)), key=_age)


def directive_from(plans: Sequence[Manifest], service: str, spec: MicroserviceSpec) -> PlanDirective | None:
    """The oldest plan that has something to say decides; one that has ended only where no other does."""
    version = version_hash(spec)
    for each in sorted(plans, key=lambda plan: not _open(plan)):
        read = _read(each)
        if read is not None:
            directive = directive_of(
                each["metadata"]["name"], *read, service=service, label=spec.version, version=version
            )
            if directive is not None:
                return directive
    return None


def _view(microservice: Manifest, older: Sequence[Manifest]) -> ServiceView:
    name, spec = microservice["metadata"]["name"], MicroserviceSpec.model_validate(microservice["spec"])
    pinned = hash_of(spec.release.active_version) if spec.release.active_version else None
    taken = next((each["metadata"]["name"] for each in older if _names(each, name) and _open(each)), "")
    status = read_stored(MicroserviceStatus, microservice.get("status"))
    current = status.observed_generation == microservice["metadata"]["generation"]
    return view_of(spec.version, version_hash(spec), pinned, status, taken_by=taken, observed=current)


def _read(plan: Manifest) -> tuple[ReleasePlanSpec, ReleasePlanStatus] | None:
    try:
        return ReleasePlanSpec.model_validate(plan["spec"]), _status(plan)
    except ValidationError:
        return None


def _status(plan: Manifest) -> ReleasePlanStatus:
    return read_stored(ReleasePlanStatus, plan.get("status"))


def _open(plan: Manifest) -> bool:
    read = _read(plan)
    return read is not None and read[1].ended is None and not refusal(read[0])


def _names(plan: Manifest, service: str) -> bool:
    return any(each["name"] == service for wave in plan["spec"]["waves"] for each in wave["services"])


def _age(plan: Manifest) -> tuple[str, str]:
    return plan["metadata"]["creationTimestamp"], plan["metadata"]["name"]


def _older(plans: Sequence[Manifest], plan: Manifest) -> list[Manifest]:
    return sorted((each for each in plans if _age(each) < _age(plan)), key=_age)


def _status_of(outlook: Outlook, before: ReleasePlanStatus, generation: int, now: datetime) -> ReleasePlanStatus:
    return ReleasePlanStatus(
        observed_generation=generation,
        phase=outlook.phase,
        wave=outlook.wave,
        released=sum(each.state == "Released" for each in outlook.services),
        services=outlook.services,
        blocked_by=outlook.blocked_by[:1024],
        failure=outlook.failure[:1024],
        started=outlook.started,
        ended=outlook.ended,
        conditions=conditions(_conditions(outlook), before.conditions, generation, now),
    )


def _conditions(outlook: Outlook) -> tuple[Condition, ...]:
    """As kstatus reads them. A plan that waits for a person is Ready, like a release that does."""
    phase, said = outlook.phase, outlook.failure or outlook.blocked_by
    if phase in {"Failed", "Blocked"}:
        return Condition("Ready", "False", phase, said), Condition("Stalled", "True", phase, said)
    if phase in {"Succeeded", "Paused"}:
        return (Condition("Ready", "True", phase, said),)
    return Condition("Ready", "Unknown", phase, said), Condition("Reconciling", "True", phase, said)
