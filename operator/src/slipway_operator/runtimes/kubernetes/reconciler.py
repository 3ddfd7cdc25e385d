"""One look at one service: observe, plan, remember, act. Everything is derived anew, so it may end anywhere."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ...errors import KubernetesError, NotLeading, Outdated, Refused, Unreadable
from ...planning import Decision, plan
from ...planning.desired import desired_of
from ...planning.observed import FOREIGN, REFUSED, Observed, Problem
from ...planning.status import UNREADABLE, facts_for, facts_of, newly_unready, stalled, status_of
from ...planning.steps import Emit, RecordVersion, RunGate, SelectPreview, Step
from ...spec.microservice import MicroserviceSpec
from ...spec.status import MicroserviceStatus
from ...spec.stored import read_stored
from .act.adopter import Adopter
from .act.borrowing import Borrower
from .act.drift import DriftCorrector
from .act.executing import Executor, ReconcileContext
from .api.addresses import Addresses
from .api.client import Client
from .api.kinds import MICROSERVICE, RELEASE_PLAN, Key
from .gates.checks import Fetcher
from .gates.judge_process import Judge, JudgeProcess
from .metrics import Metrics
from .objects.manifests import Owner, active_selector
from .observe.cluster_snapshot import ClusterSnapshot
from .observe.consumer_group import UNKNOWN, GroupInspector, handing_over, membership
from .observe.fetching import look, look_at_configuration, readable
from .observe.observing import observed
from .plan_reconciler import PlanReconciler, directive_from, plans_of

log = logging.getLogger(__name__)

# After an effect the next look comes on its own, even where no event tells of it.
SETTLE = timedelta(seconds=1)
AT_ONCE = timedelta(milliseconds=100)
# What these do is done when it is written: the next look need not wait for an event that tells of it.
WHOLE = (RecordVersion, SelectPreview)
# No event tells that somebody joined a consumer group, or left it.
GROUP_AGAIN = timedelta(seconds=1)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Reconciler:
    def __init__(
        self,
        client: Client,
        fetcher: Fetcher,
        *,
        identity: str,
        metrics: Metrics | None = None,
        inspector: GroupInspector | None = None,
        judge: Judge | None = None,
        addresses: Addresses | None = None,
        clock: Callable[[], datetime] = utc_now,
        add: Callable[[Key], None] = lambda _: None,
    ) -> None:
        """``addresses``: which ones of specs are asked.

        ``add``: something else must be looked at, since this look may have changed what it sees.
        """
        self._client = client
        self._addresses = addresses or Addresses()
        self._executor = Executor(
            client, fetcher, judge or JudgeProcess(), self._addresses, identity=identity, clock=clock
        )
        self._drift = DriftCorrector(client)
        self._adopter = Adopter(client)
        self._borrower = Borrower(client)
        self._inspector = inspector
        self._metrics = metrics or Metrics()
        self._clock = clock
        self._add = add
        # What the API server refused at the last look. Not stored: each look asks for it anew.
        self._refused: dict[Key, Mapping[str, Refusal]] = {}
        self._plans = PlanReconciler(client, identity=identity, tell=add, clock=clock)

    async def reconcile(self, key: Key) -> timedelta | None:
        """When to look again, if nothing happens before; None: no need."""
        try:
            try:
                return await (self._plans.reconcile(key) if key.kind is RELEASE_PLAN else self._reconcile(key))
            except Unreadable as error:
                self._metrics.errors.inc()
                await self._stall(key, str(error))
                return None
            except KubernetesError:
                raise
            except Exception as error:
                # A fault of this program: it is shown where people look, and tried again.
                self._metrics.errors.inc()
                await self._stall(key, f"the operator failed at it: {type(error).__name__}: {error}"[:500])
                raise
        except NotLeading:
            # Another replica acts; this one looks again when it leads.
            return None
        except Outdated:
            # Somebody wrote what this look rests on, as autoscalers do: no error, only too late.
            return AT_ONCE
        except KubernetesError:
            self._metrics.errors.inc()
            raise

    async def _reconcile(self, key: Key) -> timedelta | None:
        # A look that ends early forgets them: only what is refused again and again counts.
        refusals = self._refused.pop(key, {})
        seen = await look(self._client, key)
        if seen is None:
            self._metrics.open_releases.note(key.namespace, key.name, None)
            return AT_ONCE if await self._borrower.give_back(key) else None
        metadata = seen.microservice["metadata"]
        spec = readable(MicroserviceSpec, MICROSERVICE, seen.microservice)
        owner = Owner(key.name, metadata["uid"])
        borrowed = await self._borrower.borrow(key, seen, spec, owner)
        if borrowed.taken:
            return AT_ONCE
        seen = replace(seen, not_ours=borrowed.blocking)
        seen = await look_at_configuration(self._client, key, seen, spec)
        brokers = spec.events.bootstrap_servers if spec.events else None
        refusal = self._addresses.brokers_refusal(brokers, key.namespace) if brokers else ""
        if refusal:
            seen = replace(seen, missing=f"events.bootstrapServers: {refusal}")
        status = _status(seen.microservice)
        now = self._clock()
        # A plan that was there before a new spec must be seen with it: it may hold the release back.
        known = status.observed_generation == metadata["generation"]
        plans = await plans_of(self._client, key.namespace, key.name, recent=known)
        asked = None if refusal else brokers
        desired = desired_of(spec, metadata["generation"], directive_from(plans, key.name, spec))
        saw = observed(seen, facts_for(status, desired), None)
        saw = await self._with_group(saw, spec, seen, brokers=asked)
        saw = replace(saw, group=await self._adopter.among(saw.group, key, seen))
        saw = with_problems(saw, refusals, now)
        made = plan(saw, desired, now)
        context = ReconcileContext(key, owner, spec, seen, saw, made.facts.attempts)
        acted = await self._remember(key, seen, status, made, now)
        acted = await self._mend(context) or acted
        acted = await self._adopter.take_over(context, made) or acted
        for each in plans:
            self._add(Key(key.namespace, each["metadata"]["name"], RELEASE_PLAN))
        refused = await self._carry_out(made.steps, context)
        noted = noted_refusals(refused, refusals, spec, now)
        if noted:
            self._refused[key] = noted
        for _, error in refused:
            raise error
        return next_look(made, acted=acted or bool(made.steps), asks=saw.group is not None)

    async def _carry_out(self, steps: Sequence[Step], context: ReconcileContext) -> list[tuple[Step, Refused]]:
        """In their order, and gates at the end: whoever asks waits for an answer, and nothing else waits for that.

        Gates are asked side by side, so that one that is slow takes no time from the others, nor from the next look.
        """
        gates = [step for step in steps if isinstance(step, RunGate)]
        others = [step for step in steps if not isinstance(step, RunGate)]
        errors: list[Refused | BaseException | None] = [await self._execute(step, context) for step in others]
        asked = (self._execute(step, context) for step in gates)
        errors += await asyncio.gather(*asked, return_exceptions=True)
        for error in errors:
            if error and not isinstance(error, Refused):
                raise error
        pairs = zip((*others, *gates), errors, strict=True)
        return [(step, error) for step, error in pairs if isinstance(error, Refused)]

    async def _execute(self, step: Step, context: ReconcileContext) -> Refused | None:
        """What the API server refuses (a template that is no pod) is told where people look, as it was said.

        It keeps no other step from its effect: none rests on an earlier one of the same plan.
        """
        log.info("%s: %s", context.key, step)
        try:
            await self._executor.execute(step, context)
        except Refused as error:
            await self._executor.execute(Emit(REFUSED, str(error), "Warning"), context)
            return error
        return None

    async def _stall(self, key: Key, why: str) -> None:
        """Said once: where the status says it already, nothing is written."""
        if key.kind is not MICROSERVICE:
            log.warning("%s: %s", key, why)
            return
        microservice = await self._client.get(MICROSERVICE, key.namespace, key.name)
        if microservice is None:
            return
        metadata, before = microservice["metadata"], _status(microservice)
        after = stalled(
            before, reason=UNREADABLE, message=why, generation=metadata["generation"], now=self._clock()
        )  # fmt: skip
        if after == before:
            return
        log.warning("%s: %s", key, why)
        await self._write_status(key, metadata["resourceVersion"], after)
        await self._executor.tell(Emit(UNREADABLE, why, "Warning"), microservice, before.attempts)

    async def _with_group(
        self, saw: Observed, spec: MicroserviceSpec, seen: ClusterSnapshot, *, brokers: str | None
    ) -> Observed:
        """Brokers are asked while consumers move. Without an address, consumers whose pods are gone are gone."""
        given = bool(spec.events and spec.events.bootstrap_servers)
        if not given or self._inspector is None or not handing_over(saw):
            return saw
        if not brokers:  # refused: nobody knows, as where they do not answer
            return replace(saw, group=UNKNOWN)
        return replace(saw, group=await self._inspector.inspect(membership(seen, saw, spec, brokers)))

    async def _remember(
        self, key: Key, seen: ClusterSnapshot, before: MicroserviceStatus, made: Decision, now: datetime
    ) -> bool:
        """Writes the status, before anything is done; and nothing when nothing changed."""
        metadata = seen.microservice["metadata"]
        after = status_of(
            made, before, selector=_autoscaled(key.name, made), generation=metadata["generation"], now=now
        )  # fmt: skip
        self._metrics.open_releases.note(key.namespace, key.name, after)
        if after == before and seen.microservice.get("status"):
            return False
        await self._write_status(key, metadata["resourceVersion"], after)
        self._tell(key, before, after, made, now)
        told = newly_unready(before, after)
        if told:
            await self._executor.tell(told, seen.microservice, after.attempts)
        return True

    async def _write_status(self, key: Key, version: str, status: MicroserviceStatus) -> None:
        manifest = {
            # Facts rest on what was seen: were the object another one by now, they would be wrong.
            "metadata": {"name": key.name, "resourceVersion": version},
            # Under server-side apply, what is left out is taken away.
            "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        await self._client.apply(MICROSERVICE, key.namespace, manifest, subresource="status")

    def _tell(
        self, key: Key, before: MicroserviceStatus, after: MicroserviceStatus, made: Decision, now: datetime
    ) -> None:
        self._metrics.ended(facts_of(before), made.facts)
        self._metrics.handed_over(facts_of(before), made.facts)
        if before.release and (after.release is None or after.release.reached != before.release.reached):
            self._metrics.phase(before.release.reached, before.release.since, now)
        if (before.phase, before.step, before.blocked_by) != (after.phase, after.step, after.blocked_by):
            log.info("%s: %s %s %s", key, after.phase, after.step, after.blocked_by)

    async def _mend(self, context: ReconcileContext) -> bool:
        """A child that can't be put back must not keep a release from going on, or back."""
        try:
            return await self._drift.mend(context)
        except NotLeading:
            raise
        except KubernetesError:
            self._metrics.errors.inc()
            log.warning("%s: a child could not be put back", context.key, exc_info=True)
            return False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Of a version's step: the same one may be taken the next time, since a quota or an admission rule has changed."""

    message: str
    first: datetime
    last: datetime


def noted_refusals(
    refused: Sequence[tuple[Step, Refused]], before: Mapping[str, Refusal], spec: MicroserviceSpec, now: datetime
) -> dict[str, Refusal]:
    """By version. A gate that decides nothing does not when it is refused either."""
    idle = {gate.name for gate in spec.gates if gate.dry_run}
    noted = {}
    for step, error in refused:
        version = getattr(step, "version", None)
        if version and not (isinstance(step, RunGate) and step.gate in idle):
            noted[version] = Refusal(str(error)[:500], before[version].first if version in before else now, now)
    return noted


def with_problems(saw: Observed, refusals: Mapping[str, Refusal], now: datetime) -> Observed:
    """Beside what pods themselves say. The time since the last refusal does not count: nobody has asked again."""
    if not refusals:
        return saw
    problems = {name: Problem(REFUSED, each.message, now - (each.last - each.first)) for name, each in refusals.items()}
    versions = {
        name: replace(view, problems=(*view.problems, problems[name])) if name in problems else view
        for name, view in saw.versions.items()
    }
    return replace(saw, versions=versions)


def _status(microservice: Mapping[str, Any]) -> MicroserviceStatus:
    """What can be read of it: it may be written by hand, or by a newer release."""
    return read_stored(MicroserviceStatus, microservice.get("status"))


def _autoscaled(service: str, made: Decision) -> str:
    """The pods that share the requests, for autoscalers: those of workers would distort what a pod needs."""
    labels = active_selector(service, made.status_view.active) if made.status_view.active not in {"", FOREIGN} else {}
    return ",".join(f"{name}={value}" for name, value in labels.items())


def next_look(made: Decision, *, acted: bool, asks: bool = False) -> timedelta | None:
    """``asks``: the consumer group is asked as long as it is handed over."""
    waits = asks and any(
        each.type == "ConsumersHandedOver" and each.status == "False" for each in made.status_view.conditions
    )
    settle = timedelta() if any(isinstance(step, WHOLE) for step in made.steps) else SETTLE
    times = [made.requeue_after, settle if acted else None, GROUP_AGAIN if waits else None]
    return min([each for each in times if each is not None], default=None)


async def resync(client: Client, namespaces: list[str | None], add: Callable[[Key], None]) -> None:
    """Every service and plan is looked at, whether or not an event told of it."""
    for kind in (MICROSERVICE, RELEASE_PLAN):
        lists = await asyncio.gather(*(client.list(kind, namespace) for namespace in namespaces))
        for each in (item for found in lists for item in found):
            add(Key(each["metadata"]["namespace"], each["metadata"]["name"], kind))
