"""The steps of a plan, each as the writes it needs. Every one may be repeated, and stops at its first error."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ....planning import steps as s
from ....planning.gating import first_started
from ....planning.observed import GateState, GateView, Noted, Observed
from ....spec.fields import SERVING
from ....spec.gates import ContractsGate, Gate
from ....spec.hashing import version_name
from ....spec.microservice import MicroserviceSpec, ServicePort
from ....spec.serviceversion import ServiceVersionSpec
from ..api.addresses import Addresses
from ..api.answers import Manifest
from ..api.client import Client
from ..api.event_recorder import post_event
from ..api.kinds import (
    ATTEMPT,
    CONFIG_MAP,
    DEPLOYMENT,
    GATE,
    JOB,
    MICROSERVICE,
    ROLE_LABEL,
    RUN,
    SERVICE,
    SERVICE_VERSION,
    VERSION_LABEL,
    Key,
    Kind,
)
from ..gates.checks import Fetcher, checked, url_of
from ..gates.contract_gate import compared
from ..gates.judge_process import Judge
from ..gates.traffic import Compared, analysed
from ..objects import configuration, manifests
from ..observe.cluster_snapshot import ClusterSnapshot
from ..observe.jobs import GATE_RESULT, kept_result, number_of
from ..observe.observing import wanted_by_grpc
from . import former_pods
from .applying import apply_child


@dataclass(frozen=True, slots=True)
class ReconcileContext:
    """One look, as far as steps need it."""

    key: Key
    owner: manifests.Owner
    spec: MicroserviceSpec
    seen: ClusterSnapshot
    observed: Observed
    attempts: int  # tells the same words about two releases apart


class Executor:
    def __init__(
        self,
        client: Client,
        fetcher: Fetcher,
        judge: Judge,
        addresses: Addresses,
        *,
        identity: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._addresses = addresses
        self._fetcher = fetcher
        self._judge = judge
        self._identity = identity
        self._clock = clock

    async def execute(self, step: s.Step, context: ReconcileContext) -> None:  # noqa: C901, PLR0912 # one line for each step
        match step:
            case s.RecordVersion():
                await self._record(step, context)
            case s.StartMigration():
                await self._migrate(step, context)
            case s.ScaleServing() | s.ScaleWorkers():
                await self._scale(step, context)
            case s.SelectPreview():
                await self._preview(step, context)
            case s.RunGate():
                await self._gate(step, context)
            case s.SwitchActive():
                await self._switch(step, context)
            case s.MarkDraining():
                await former_pods.mark(self._client, context, step.version)
            case s.UnmarkDraining():
                await former_pods.unmark(self._client, context, step.version)
            case s.RenewPods():
                await former_pods.renew(self._client, context, step.version, self._clock())
            case s.RetireVersion():
                await self._record_status(step.version, {"retired": step.because}, context)
            case s.NoteActivity():
                await self._record_status(step.version, _shown(step.noted), context)
            case s.ForgetVersion():
                await self._forget(step, context)
            case s.Emit():
                await self._emit(step, context)

    async def _record(self, step: s.RecordVersion, context: ReconcileContext) -> None:
        """The record fixes which configuration is the version's; DriftCorrector makes copies that are missing then."""
        found = context.seen.config_maps
        digests = configuration.digests(context.spec, found)
        manifest = manifests.service_version(context.owner, context.spec, step.version, step.revision, digests)
        # Created, never applied: a record that exists is right, and can't be changed.
        made = await self._client.create(SERVICE_VERSION, context.key.namespace, manifest)
        if made is None:  # it is there, and was not seen: somebody took its label away
            found_again = {name: manifest["metadata"][name] for name in ("labels", "ownerReferences")}
            name = manifest["metadata"]["name"]
            await self._client.merge(SERVICE_VERSION, context.key.namespace, name, {"metadata": found_again})
        record = ServiceVersionSpec.model_validate(manifest["spec"])
        for name in configuration.copies(record) if made else ():
            original = found[name]
            if made and original:
                copied = configuration.copy_of(record, made["metadata"]["uid"], name, original)
                await self._client.create(CONFIG_MAP, context.key.namespace, copied)

    async def _migrate(self, step: s.StartMigration, context: ReconcileContext) -> None:
        record, deadline = context.seen.records[step.version], context.spec.migrations.deadline_seconds
        job = manifests.migration_job(context.owner, record, step.kind, step.attempt, deadline)
        await self._client.create(JOB, context.key.namespace, job)

    async def _scale(self, step: s.ScaleServing | s.ScaleWorkers, context: ReconcileContext) -> None:
        record, namespace = context.seen.records.get(step.version), context.key.namespace
        if record is None:  # deleted by hand: what is there can still be given another size
            full = manifests.deployment_name(context.key.name, step.version, step.component)
            await self._client.merge(DEPLOYMENT, namespace, full, {"spec": {"replicas": step.replicas}})
            return
        name = version_name(context.key.name, step.version)
        if step.component in SERVING and step.replicas and name not in context.seen.services:
            await self._apply(SERVICE, manifests.version_service(context.owner, record), context)
        made = manifests.deployment(context.owner, record, step.component, step.replicas)
        await self._apply(DEPLOYMENT, made, context)

    async def _apply(self, kind: Kind, made: Manifest, context: ReconcileContext) -> None:
        seen = context.seen.services if kind is SERVICE else context.seen.deployments
        there = seen.get(made["metadata"]["name"])
        await apply_child(self._client, kind, context.key.namespace, made, there=there, owner=context.owner)

    async def _preview(self, step: s.SelectPreview, context: ReconcileContext) -> None:
        made = manifests.preview_service(context.owner, step.version, ports_of(context, step.version))
        await self._apply(SERVICE, made, context)

    async def _switch(self, step: s.SwitchActive, context: ReconcileContext) -> None:
        """Only if nobody has touched the Services since they were looked at: a switch must rest on what was seen."""
        ports = ports_of(context, step.version)
        grpc = wanted_by_grpc(context.seen, step.version)
        if grpc:
            await self._switch_one(manifests.pods_service(context.owner, grpc, ports), context)
        # The plain one last: until then the switch counts as not done, and is repeated.
        await self._switch_one(manifests.active_service(context.owner, step.version, ports), context)

    async def _switch_one(self, made: Manifest, context: ReconcileContext) -> None:
        there = context.seen.services.get(made["metadata"]["name"])
        if there:
            made["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"]
        await self._apply(SERVICE, made, context)

    async def _record_status(self, version: str, changes: Manifest, context: ReconcileContext) -> None:
        """Merged, not applied: each writer leaves the fields of the other one alone."""
        name = version_name(context.key.name, version)
        await self._client.merge(
            SERVICE_VERSION, context.key.namespace, name, {"status": changes}, subresource="status"
        )  # fmt: skip

    async def _forget(self, step: s.ForgetVersion, context: ReconcileContext) -> None:
        """The record goes last: while it is there, what is left of the version is found again."""
        seen = context.seen
        await self._delete_all(JOB, seen.jobs, step.version, context)
        await self._delete_all(DEPLOYMENT, list(seen.deployments.values()), step.version, context)
        await self._delete_all(SERVICE, list(seen.services.values()), step.version, context)
        name = version_name(context.key.name, step.version)
        await self._client.delete(SERVICE_VERSION, context.key.namespace, name)

    async def _delete_all(self, kind: Kind, there: list[Manifest], version: str, context: ReconcileContext) -> None:
        for each in there:
            if each["metadata"]["labels"].get(VERSION_LABEL) == version:
                await self._client.delete(kind, context.key.namespace, each["metadata"]["name"])

    # --- gates
    async def _gate(self, step: s.RunGate, context: ReconcileContext) -> None:
        gate = next((each for each in context.spec.gates if each.name == step.gate), None)
        if gate is None:  # the spec changed since: the next look knows
            return
        if gate.job:
            await self._gate_job(step, gate, context)
            return
        if gate.type == "contracts":
            await self._gate_contracts(step, gate, context)
            return
        started = self._clock()
        prometheus = gate.analysis or gate.prometheus
        refusal = self._addresses.url_refusal(prometheus.address, context.key.namespace) if prometheus else ""
        if refusal:
            await self._keep(step, GateState.INCONCLUSIVE, refusal, started, context)
            return
        if gate.analysis:
            state, message = await analysed(gate.analysis, self._fetcher, context.key, _compared(step, gate, context))
            await self._keep(step, state, message, started, context)
            return
        http_port = gate.http.port if gate.http else ""
        preview = _asked_at(step, context, http_port)
        state, message = await checked(gate, self._fetcher, version=step.version, preview=preview)
        await self._keep(step, state, message, started, context)

    async def _gate_contracts(self, step: s.RunGate, gate: Gate, context: ReconcileContext) -> None:
        started = self._clock()
        found = await compared(
            self._client, self._judge, gate.contracts or ContractsGate(), context.key,
            pods=context.seen.pods, active=context.observed.active or "", candidate=step.version,
        )  # fmt: skip
        if found.digests:
            await self._record_status(step.version, {"contracts": dict(found.digests)}, context)
        await self._keep(step, found.state, found.message, started, context)

    async def _keep(
        self, step: s.RunGate, state: GateState, message: str, started: datetime, context: ReconcileContext
    ) -> None:
        """A result counts when it is written down."""
        former = context.observed.gates.get((step.version, step.gate))
        first = first_started(former, step.attempt, started)
        view = GateView(state, step.attempt, step.run, started, first, self._clock(), message[:500])
        patch = {"metadata": {"annotations": {GATE_RESULT + step.gate: kept_result(view)}}}
        name = version_name(context.key.name, step.version)
        await self._client.merge(SERVICE_VERSION, context.key.namespace, name, patch)

    async def _gate_job(self, step: s.RunGate, gate: Gate, context: ReconcileContext) -> None:
        assert gate.job  # noqa: S101 # the caller has seen it
        former, started = context.observed.gates.get((step.version, step.gate)), self._clock()
        job = manifests.gate_job(
            context.owner,
            step.version,
            gate.name,
            gate.job,
            attempt=step.attempt,
            run=step.run,
            started=started.isoformat(),
            first_started=first_started(former, step.attempt, started).isoformat(),
            deadline_seconds=gate.timeout_seconds,
            preview_url=_asked_at(step, context),
        )
        await self._client.create(JOB, context.key.namespace, job)
        for each in context.seen.jobs:
            if _earlier_run(each, step):
                await self._client.delete(JOB, context.key.namespace, each["metadata"]["name"])

    # --- Events
    async def _emit(self, step: s.Emit, context: ReconcileContext) -> None:
        await self.tell(step, context.seen.microservice, context.attempts)

    async def tell(self, step: s.Emit, microservice: Manifest, attempts: int) -> None:
        at, of = self._clock(), str(attempts)
        await post_event(self._client, MICROSERVICE, microservice, step, of=of, by=self._identity, at=at)


def _asked_at(step: s.RunGate, context: ReconcileContext, port: str = "") -> str:
    """The preview Service; that of all requests, where a newer version has the preview by now."""
    name, seen = context.key.name, context.observed
    taken = seen.active == step.version and seen.preview != step.version
    service = manifests.active_name(name) if taken else manifests.preview_name(name)
    return url_of(service, context.key.namespace, ports_of(context, step.version), port)


def _shown(noted: Noted) -> Manifest:
    return {
        "activeFrom": noted.active_from.isoformat() if noted.active_from else None,
        "activeUntil": noted.active_until.isoformat() if noted.active_until else None,
        "endedBecause": noted.because,
        "released": noted.released,
    }


def _compared(step: s.RunGate, gate: Gate, context: ReconcileContext) -> Compared:
    facts = context.observed.facts
    if gate.phase == "beforePromotion" or not facts.release:
        return Compared(step.version, facts.stable, None)
    return Compared(step.version, facts.stable, facts.release.promoted_at)


def _earlier_run(job: Manifest, step: s.RunGate) -> bool:
    labels, notes = job["metadata"]["labels"], job["metadata"].get("annotations") or {}
    if labels.get(ROLE_LABEL) != "gate" or labels.get(VERSION_LABEL) != step.version or notes.get(GATE) != step.gate:
        return False
    return (number_of(job, ATTEMPT), number_of(job, RUN)) < (step.attempt, step.run)


def ports_of(context: ReconcileContext, version: str | None) -> tuple[ServicePort, ...]:
    """Those of the version; where there is no single one, those that are wanted now."""
    record = context.seen.records.get(version) if version else None
    return record.ports if record else context.spec.ports
