"""One look at one service: observe, plan, remember, act. Everything is derived anew, so it may end anywhere."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pydantic import ValidationError

from ...errors import KubernetesError, NotLeading, Outdated, Refused
from ...planning import Plan, plan
from ...planning.desired import desired_of
from ...planning.observed import GroupView
from ...planning.remembering import facts_of, status_of
from ...planning.steps import Emit, RecordVersion, SelectPreview, Step
from ...spec.microservice import MicroserviceSpec
from ...spec.status import MicroserviceStatus
from .checking import Asker
from .client import Client
from .executing import Executor, Scene
from .kinds import MICROSERVICE
from .looking import Key, Seen, look
from .mending import Mender
from .metrics import Metrics
from .objects import Owner, active_selector
from .observing import observed

log = logging.getLogger(__name__)

# After an effect the next look comes on its own, even where no event tells of it.
SETTLE = timedelta(seconds=1)
AT_ONCE = timedelta(milliseconds=100)
# What these do is done when it is written: the next look need not wait for an event that tells of it.
WHOLE = (RecordVersion, SelectPreview)


class GroupInspector(Protocol):
    async def inspect(self, group: str, versions: list[str]) -> GroupView | None:
        """Who is in the consumer group; None: nobody can say, and that pods are gone has to be enough."""


class PodsAreEnough:
    """Without a broker to ask: consumers whose pods are gone are gone."""

    async def inspect(self, group: str, versions: list[str]) -> GroupView | None:  # noqa: ARG002 # the port's words
        return None


def utc_now() -> datetime:
    return datetime.now(UTC)


class Reconciler:
    def __init__(
        self,
        client: Client,
        asker: Asker,
        *,
        identity: str,
        metrics: Metrics | None = None,
        inspector: GroupInspector | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._executor = Executor(client, asker, identity=identity, clock=clock)
        self._mender = Mender(client)
        self._inspector = inspector or PodsAreEnough()
        self._metrics = metrics or Metrics()
        self._clock = clock

    async def reconcile(self, key: Key) -> timedelta | None:
        """When to look again, if nothing happens before; None: no need."""
        try:
            return await self._reconcile(key)
        except NotLeading:
            # Another replica acts; this one looks again when it leads.
            return None
        except Outdated:
            # Somebody wrote what this look rests on, as autoscalers do: no error, only too late.
            return AT_ONCE
        except (KubernetesError, ValidationError):
            self._metrics.errors.inc()
            raise

    async def _reconcile(self, key: Key) -> timedelta | None:
        seen = await look(self._client, key)
        if seen is None:
            return None
        metadata = seen.microservice["metadata"]
        spec = MicroserviceSpec.model_validate(seen.microservice["spec"])
        status = _status(seen.microservice)
        now = self._clock()
        saw = observed(seen, facts_of(status), await self._group(spec, seen))
        made = plan(saw, desired_of(spec, metadata["generation"]), now)
        scene = Scene(key, Owner(key.name, metadata["uid"]), spec, seen, saw, made.facts.attempts)
        acted = await self._remember(key, seen, status, made, now)
        acted = await self._mend(scene) or acted
        for step in made.steps:
            log.info("%s: %s", key, step)
            await self._execute(step, scene)
        return next_look(made, acted=acted or bool(made.steps))

    async def _execute(self, step: Step, scene: Scene) -> None:
        """What the API server refuses (a template that is no pod) is told where people look, as it was said."""
        try:
            await self._executor.execute(step, scene)
        except Refused as error:
            await self._executor.execute(Emit("StepRefused", str(error), "Warning"), scene)
            raise

    async def _group(self, spec: MicroserviceSpec, seen: Seen) -> GroupView | None:
        group = next((record.group for record in seen.records.values() if record.group), "")
        group = spec.events.group if spec.events else group
        return await self._inspector.inspect(group, list(seen.records)) if group else None

    async def _remember(self, key: Key, seen: Seen, before: MicroserviceStatus, made: Plan, now: datetime) -> bool:
        """Writes the status, before anything is done; and nothing when nothing changed."""
        metadata = seen.microservice["metadata"]
        after = status_of(made, before, service=key.name, generation=metadata["generation"], now=now)
        after = after.model_copy(update={"selector": _autoscaled(key.name, made)})
        if after == before and seen.microservice.get("status"):
            return False
        manifest = {
            # Facts rest on what was seen: were the object another one by now, they would be wrong.
            "metadata": {"name": key.name, "resourceVersion": metadata["resourceVersion"]},
            # Under server-side apply, what is left out is taken away.
            "status": after.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        await self._client.apply(MICROSERVICE, key.namespace, manifest, subresource="status")
        self._tell(key, before, after, made, now)
        return True

    def _tell(self, key: Key, before: MicroserviceStatus, after: MicroserviceStatus, made: Plan, now: datetime) -> None:
        self._metrics.ended(facts_of(before), made.facts)
        if before.release and (after.release is None or after.release.reached != before.release.reached):
            self._metrics.phase(before.release.reached, before.release.since, now)
        if (before.phase, before.step, before.blocked_by) != (after.phase, after.step, after.blocked_by):
            log.info("%s: %s %s %s", key, after.phase, after.step, after.blocked_by)

    async def _mend(self, scene: Scene) -> bool:
        """A child that can't be put back must not keep a release from going on, or back."""
        try:
            return await self._mender.mend(scene)
        except NotLeading:
            raise
        except KubernetesError:
            self._metrics.errors.inc()
            log.warning("%s: a child could not be put back", scene.key, exc_info=True)
            return False


def _status(microservice: Mapping[str, Any]) -> MicroserviceStatus:
    """One that can't be read (written by hand, or by a newer release) counts as none."""
    try:
        return MicroserviceStatus.model_validate(microservice.get("status") or {})
    except ValidationError:
        return MicroserviceStatus()


def _autoscaled(service: str, made: Plan) -> str:
    """The pods that share the requests, for autoscalers: those of workers would distort what a pod needs."""
    labels = active_selector(service, made.shown.active) if made.shown.active else {}
    return ",".join(f"{name}={value}" for name, value in labels.items())


def next_look(made: Plan, *, acted: bool) -> timedelta | None:
    settle = timedelta() if any(isinstance(step, WHOLE) for step in made.steps) else SETTLE
    times = [each for each in (made.requeue_after, settle if acted else None) if each is not None]
    return min(times, default=None)


async def resync(client: Client, namespaces: list[str | None], add: Callable[[Key], None]) -> None:
    """Every service is looked at, whether or not an event told of it."""
    lists = await asyncio.gather(*(client.list(MICROSERVICE, namespace) for namespace in namespaces))
    for each in (item for found in lists for item in found):
        add(Key(each["metadata"]["namespace"], each["metadata"]["name"]))
