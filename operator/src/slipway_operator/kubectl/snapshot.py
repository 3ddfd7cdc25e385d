"""Everything that is told about one service, read once: spec, status, versions, and what runs of them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..planning.decisions import resumed
from ..planning.desired import Desired, desired_of
from ..planning.facts import Facts
from ..planning.observed import Noted, Observed
from ..planning.situation import Situation
from ..planning.status import facts_of
from ..runtimes.kubernetes.api.kinds import LENT_AS
from ..spec.fields import GROUP
from ..spec.microservice import MicroserviceSpec
from ..spec.serviceversion import ServiceVersionSpec, ServiceVersionStatus
from ..spec.status import MicroserviceStatus
from ..spec.stored import read_stored
from .cluster import MANAGER, Read
from .text import clean, plural

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """A version that has a record."""

    version: str
    label: str
    revision: int
    retired: str = ""
    noted: Noted = field(default_factory=Noted)


@dataclass(frozen=True, slots=True)
class Pod:
    name: str
    version: str
    component: str
    state: str  # one word: Running, ImagePullBackOff, Ending
    ready: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    namespace: str
    name: str
    generation: int
    label: str  # what people call the version that the spec describes
    desired: Desired
    status: MicroserviceStatus
    kept: Mapping[str, Kept]
    now: datetime
    observed: Observed | None = None  # None: not asked for, or not allowed to be seen
    pods: tuple[Pod, ...] = ()
    hidden: tuple[str, ...] = ()  # kinds that may not be listed
    lent_selector: Mapping[str, str] = field(default_factory=dict)  # whom the Service found before it was handed over
    served_before: tuple[str, ...] = ()  # Deployments that have pods still, with their number
    owners: Mapping[str, str] = field(default_factory=dict)  # field of spec.release → its manager, where not ours

    @property
    def facts(self) -> Facts:
        return facts_of(self.status)

    @property
    def seen(self) -> bool:
        """Whether the status speaks of the present spec."""
        return self.status.observed_generation >= self.generation

    @property
    def situation(self) -> Situation:
        facts = resumed(self.facts, self.now)
        observed = self.observed or Observed(facts, active=self.status.active_version or None)
        return Situation(observed, self.desired, facts, self.now, facts.release.version if facts.release else None)

    @property
    def unmet(self) -> str:
        """The one sentence of the status that says what blocks, without the version it begins with."""
        said, release = self.status.blocked_by, self.status.release
        start, found, rest = said.partition(": ")
        return rest if found and release and start.startswith(release.version) else said

    def title(self, version: str) -> str:
        """``2.0 (f00dbabe)``; the hash alone where nobody knows its name."""
        known = self.kept.get(version)
        label = known.label if known else (self.label if version == self.desired.version else "")
        return f"{label} ({version})" if label and label != version else version

    def command(self, words: str) -> str:
        return f"kubectl slipway {words} -n {self.namespace}"


def snapshot_of(read: Read, now: datetime) -> Snapshot:
    """All of it, where all kinds may be listed; else what the Microservice and its records say."""
    metadata = read.microservice["metadata"]
    spec = MicroserviceSpec.model_validate(read.microservice["spec"])
    status = read_stored(MicroserviceStatus, read.microservice.get("status"))
    records = [each for each in read.parts if each["kind"] == "ServiceVersion"]
    return Snapshot(
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=metadata.get("generation", 0),
        label=spec.version,
        desired=desired_of(spec, metadata.get("generation", 0)),
        status=status,
        kept={each.version: each for each in kept_of(records)},
        now=now,
        observed=_observed(read, facts_of(status)) if read.whole else None,
        pods=tuple(_pod(each) for each in read.parts if each["kind"] == "Pod"),
        hidden=read.hidden,
        lent_selector=lent_selector_of(read.parts, metadata["name"]),
        owners=owners_of(read.microservice),
    )


def lent_selector_of(parts: Iterable[Manifest], service: str) -> dict[str, str]:
    """Empty: the Service is not lent, or had no selector."""
    for each in parts:
        lent = (each["metadata"].get("annotations") or {}).get(LENT_AS)
        if lent and each["kind"] == "Service" and each["metadata"]["name"] == service:
            return dict(json.loads(lent)["spec"].get("selector") or {})
    return {}


def serving_before(selector: Mapping[str, str], deployments: Iterable[Manifest]) -> tuple[str, ...]:
    """Those that are no version's, and whose pods the Service found before: ``Deployment hello (4 pods)``."""
    found = []
    for each in deployments:
        labels = (each["spec"]["template"].get("metadata") or {}).get("labels") or {}
        size = each["spec"].get("replicas", 1)
        ours = f"{GROUP}/version" in labels
        if size and not ours and selector and all(labels.get(name) == value for name, value in selector.items()):
            found.append(f"Deployment {each['metadata']['name']} ({plural(size, 'pod')})")
    return tuple(found)


def kept_of(records: Iterable[Manifest]) -> list[Kept]:
    made = []
    for each in records:
        spec = ServiceVersionSpec.model_validate(each["spec"])
        status = read_stored(ServiceVersionStatus, each.get("status"))
        noted = Noted(status.active_from, status.active_until, status.ended_because, status.released)
        made.append(Kept(spec.hash, spec.label, spec.revision, status.retired, noted))
    return sorted(made, key=lambda kept: kept.revision)


def _observed(read: Read, facts: Facts) -> Observed:
    """The operator's own eyes: what it counts as ready is ready here as well. The broker is not asked."""
    from ..runtimes.kubernetes.observe.cluster_snapshot import ClusterSnapshot  # noqa: PLC0415 # a quarter of a second that other commands save
    from ..runtimes.kubernetes.observe.observing import observed  # noqa: PLC0415

    def named(kind: str) -> dict[str, Manifest]:
        return {each["metadata"]["name"]: each for each in read.parts if each["kind"] == kind}

    def listed(kind: str) -> list[Manifest]:
        return [each for each in read.parts if each["kind"] == kind]

    records = {each["spec"]["hash"]: each for each in listed("ServiceVersion")}
    seen = ClusterSnapshot(
        microservice=read.microservice,
        versions=records,
        records={name: ServiceVersionSpec.model_validate(each["spec"]) for name, each in records.items()},
        deployments=named("Deployment"),
        services=named("Service"),
        budgets={},
        pods=listed("Pod"),
        slices=listed("EndpointSlice"),
        jobs=listed("Job"),
    )
    return observed(seen, facts, None)


def _pod(manifest: Manifest) -> Pod:
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    labels = metadata.get("labels") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or []}
    ending = bool(metadata.get("deletionTimestamp"))
    return Pod(
        name=metadata["name"],
        version=labels.get(f"{GROUP}/version", ""),
        component=labels.get(f"{GROUP}/component", ""),
        state="Ending" if ending else _state(status),
        ready=conditions.get("Ready") == "True" and not ending,
        since=datetime.fromisoformat(metadata["creationTimestamp"]).astimezone(UTC),
    )


def _state(status: Mapping[str, Any]) -> str:
    """Why it does not run, where a container says so; else the pod's phase."""
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = container.get("state") or {}
        for kind in ("waiting", "terminated"):
            reason = (state.get(kind) or {}).get("reason")
            if reason and reason != "Completed":
                return str(reason)
    return str(status.get("phase", "Pending"))


def owners_of(microservice: Mapping[str, Any]) -> dict[str, str]:
    """Who set the fields of spec.release, by managedFields; what this plugin wrote is left out.

    A default that nobody chose belongs to whoever wrote the object next, so that false and nothing do not count.
    """
    found: dict[str, str] = {}
    values = microservice["spec"].get("release") or {}
    for entry in microservice["metadata"].get("managedFields") or []:
        if entry.get("subresource") or entry.get("manager") == MANAGER:
            continue
        release = ((entry.get("fieldsV1") or {}).get("f:spec") or {}).get("f:release") or {}
        names = [name.removeprefix("f:") for name in release if name.startswith("f:")]
        found |= {name: clean(str(entry.get("manager", "")), 64) for name in names if values.get(name)}
    return found
