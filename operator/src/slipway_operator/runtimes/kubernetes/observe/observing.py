"""From the objects of the API server to what the planner sees. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ....planning.facts import Facts
from ....planning.observed import (
    ANY,
    FOREIGN,
    GroupView,
    Noted,
    Observed,
    Problem,
    VersionView,
    Workload,
)
from ....spec.fields import SERVING
from ....spec.hashing import version_name
from ....spec.serviceversion import ServiceVersionSpec, ServiceVersionStatus
from ....spec.stored import read_stored
from ..api.kinds import (
    ADOPTED_LABEL,
    CLOSES_CONNECTIONS,
    COMPONENT_LABEL,
    DRAINING_LABEL,
    RENEWED,
    VERSION_LABEL,
)
from ..objects import configuration
from ..objects.manifests import NOTHING, active_name, deployment_name, pods_name, preview_name, selected
from ..objects.ownership import is_lent
from .cluster_snapshot import ClusterSnapshot
from .conditions import condition, moment
from .endpoints import endpoints_of, reached_pods, reached_soon, unreachable
from .jobs import gates, migrations

Manifest = dict[str, Any]

# With these, waiting alone rarely helps. A pod without a node is not among them: an autoscaler may bring one.
HOPELESS = {
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
}


def observed(seen: ClusterSnapshot, facts: Facts, group: GroupView | None) -> Observed:
    service = seen.microservice["metadata"]["name"]
    active = _selected(seen, active_name(service), service)
    preview = _selected(seen, preview_name(service), service)
    asked = {active, facts.release.version if facts.release else None}
    versions = _versions(seen, service, active, asked)
    return Observed(
        facts=facts,
        versions=versions,
        active=active,
        active_split=_split(seen, service, active),
        active_endpoints=_behind(seen, service),
        preview=None if preview == NOTHING else preview,
        migrations=dict(migrations(seen.jobs)),
        gates=gates(seen),
        group=group if any(view.consumer for view in versions.values()) else None,
        not_ours=seen.not_ours,
        missing=seen.missing,
    )


# --- Services
def _selected(seen: ClusterSnapshot, name: str, service: str) -> str | None:
    found = seen.services.get(name)
    return selected(service, found["spec"].get("selector") or {}) if found else None


def _split(seen: ClusterSnapshot, service: str, active: str | None) -> bool:
    """Whether gRPC clients, who use the headless Service, are sent to another version."""
    wanted = wanted_by_grpc(seen, active)
    if wanted is None:
        return False
    found = seen.services.get(pods_name(service))
    return found is None or selected(service, found["spec"].get("selector") or {}, grpc=True) != wanted


def wanted_by_grpc(seen: ClusterSnapshot, active: str | None) -> str | None:
    """What the headless Service has to select: NOTHING where the active version has no gRPC, and a former one had it.

    None: there has to be no such Service, or nobody knows what the active version has.
    """
    if active != ANY and active not in seen.records:
        return None
    records = seen.records.values() if active == ANY else [seen.records[active]]
    if any("grpc" in record.components for record in records):
        return active
    former = seen.services.get(pods_name(seen.microservice["metadata"]["name"]))
    return NOTHING if former and is_owned(seen, former) else None


def is_owned(seen: ClusterSnapshot, child: Manifest) -> bool:
    owners = {each.get("uid") for each in child["metadata"].get("ownerReferences") or []}
    return seen.microservice["metadata"]["uid"] in owners


def _behind(seen: ClusterSnapshot, service: str) -> dict[str, int]:
    services = {active_name(service), pods_name(service)}
    counted = Counter(pod["metadata"]["labels"].get(VERSION_LABEL, "") for pod in reached_pods(seen, services))
    # Their pods have none of our labels; else such an endpoint is a pod that has gone meanwhile.
    if adopted(seen) or _is_lent_still(seen, service):
        ours = {pod["metadata"]["name"] for pod in seen.pods}
        counted[""] += len(endpoints_of(seen, services, ready=True).keys() - ours)
    return dict(counted)


def _is_lent_still(seen: ClusterSnapshot, service: str) -> bool:
    """A Service that was handed over alone still leads to those who served before."""
    found = seen.services.get(active_name(service))
    return found is not None and is_lent(found) and _selected(seen, active_name(service), service) == FOREIGN


def adopted(seen: ClusterSnapshot) -> list[Manifest]:
    """Deployments that a chart made, and from which a first version takes over."""
    return [each for each in seen.deployments.values() if ADOPTED_LABEL in each["metadata"]["labels"]]


# --- versions
def _versions(
    seen: ClusterSnapshot, service: str, active: str | None, asked: set[str | None]
) -> dict[str, VersionView]:
    """Recorded ones by age, and before them those that run although somebody deleted their record."""
    recorded = sorted(seen.records.values(), key=lambda record: record.revision)
    unrecorded = _unrecorded(seen)
    return {
        **{
            version: _running(seen, service, version, components, active=active, asked=version in asked)
            for version, components in unrecorded.items()
        },
        **{
            record.hash: _recorded(seen, service, record, active=active, asked=record.hash in asked)
            for record in recorded
        },
    }


def _unrecorded(seen: ClusterSnapshot) -> dict[str, list[str]]:
    """The components by version. A Deployment that only carries our labels is somebody else's."""
    found: dict[str, list[str]] = {}
    for deployment in seen.deployments.values():
        labels = deployment["metadata"]["labels"]
        version, component = labels.get(VERSION_LABEL), labels.get(COMPONENT_LABEL)
        if version and component and version not in seen.records and is_owned(seen, deployment):
            found.setdefault(version, []).append(component)
    return dict(sorted(found.items()))


def _recorded(
    seen: ClusterSnapshot, service: str, record: ServiceVersionSpec, *, active: str | None, asked: bool
) -> VersionView:
    status = read_stored(ServiceVersionStatus, seen.versions[record.hash].get("status"))
    to_copy = configuration.to_copy(record, seen.config_maps)
    return replace(
        _running(seen, service, record.hash, list(record.components), active=active, asked=asked),
        revision=record.revision,
        label=record.label,
        recorded=True,
        retired=status.retired,
        configured=not to_copy,
        lost=None in to_copy.values(),
        forgotten=_is_forgotten(seen, record.hash),
        noted=Noted(status.active_from, status.active_until, status.ended_because, status.released),
    )


def _is_forgotten(seen: ClusterSnapshot, version: str) -> bool:
    """Somebody's finalizer may keep the record for ever; one that is deleted once needs no second request."""
    children = (*seen.deployments.values(), *seen.services.values(), *seen.jobs)
    return bool(seen.versions[version]["metadata"].get("deletionTimestamp")) and not any(
        each["metadata"]["labels"].get(VERSION_LABEL) == version for each in children
    )


def _running(
    seen: ClusterSnapshot, service: str, version: str, components: list[str], *, active: str | None, asked: bool
) -> VersionView:
    pods = [pod for pod in seen.pods if pod["metadata"]["labels"].get(VERSION_LABEL) == version]
    # While the active Service selects all versions, requests come by slices that lag as well.
    late = [pod for pod in pods if active != ANY and _is_ready(pod)]
    endpoints = reached_soon(seen, version_name(service, version), late, version)
    deployments = {name: seen.deployments.get(deployment_name(service, version, name)) for name in components}
    workloads = {
        component: _workload(
            deployments[component],
            of_component(pods, component),
            len(of_component(endpoints, component)) if component in SERVING else 0,
        )
        for component in components
    }
    serve = [each for name, each in deployments.items() if each and name in SERVING]
    return VersionView(
        version=version,
        revision=0,
        label="",
        serving={name: each for name, each in workloads.items() if name in SERVING},
        workers={name: each for name, each in workloads.items() if name not in SERVING},
        problems=(*_problems(deployments, pods), *_unreachable(seen, version, pods)),
        draining=_draining(pods, asked=asked),
        closes_connections=all(_annotated(each["spec"]["template"], CLOSES_CONNECTIONS) == "true" for each in serve),
        renewed=_all_or_any([bool(_annotated(each, RENEWED)) for each in serve], asked=asked),
        recorded=False,
    )


def runs(pod: Manifest) -> bool:
    return pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}


def of_component(pods: Iterable[Manifest], component: str) -> list[Manifest]:
    return [pod for pod in pods if pod["metadata"]["labels"].get(COMPONENT_LABEL) == component]


def _workload(deployment: Manifest | None, pods: list[Manifest], endpoints: int) -> Workload:
    alive = [pod for pod in pods if runs(pod)]
    return Workload(
        wanted=deployment["spec"].get("replicas", 1) if deployment else 0,
        pods=len(alive),
        ready=sum(1 for pod in alive if _is_ready(pod)),
        endpoints=endpoints,
    )


def _is_ready(pod: Manifest) -> bool:
    return not pod["metadata"].get("deletionTimestamp") and condition(pod, "Ready").get("status") == "True"


def _draining(pods: list[Manifest], *, asked: bool) -> bool:
    serving = [pod for pod in pods if pod["metadata"]["labels"].get(COMPONENT_LABEL) in SERVING]
    marks = [
        bool(pod["metadata"]["labels"].get(DRAINING_LABEL))
        for pod in serving
        if not pod["metadata"].get("deletionTimestamp")
    ]
    return _all_or_any(marks, asked=asked)


def _all_or_any(marks: list[bool], *, asked: bool) -> bool:
    """A version that is asked, or shall be, is marked if one part of it is; another one only if none was left out."""
    return any(marks) if asked else bool(marks) and all(marks)


def _annotated(manifest: Manifest, name: str) -> str:
    return str(((manifest.get("metadata") or {}).get("annotations") or {}).get(name, ""))


def _problems(deployments: Mapping[str, Manifest | None], pods: list[Manifest]) -> Iterator[Problem]:
    """The oldest of each component: what keeps a consumer from starting must not hide behind a pod of http."""
    for component, deployment in deployments.items():
        found = [each for pod in of_component(pods, component) for each in _of_pod(pod)]
        found += _of_deployment(deployment) if deployment else []
        if found:
            yield replace(min(found, key=lambda problem: problem.since), component=component)


def _unreachable(seen: ClusterSnapshot, version: str, pods: list[Manifest]) -> Iterator[Problem]:
    record = seen.records.get(version)
    message = unreachable(seen, record) if record else ""
    first = min([moment(pod["metadata"]["creationTimestamp"]) for pod in pods], default=None)
    if message and first:
        yield Problem("PortMissing", message, first)


def _of_pod(pod: Manifest) -> Iterator[Problem]:
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in HOPELESS:
            said = waiting.get("message") or waiting["reason"]
            message = f"{waiting['reason']} in {pod['metadata']['name']}: {said}"
            yield Problem(waiting["reason"], message[:500], _not_before(pod))


def _not_before(pod: Manifest) -> datetime:
    """The trouble of a container began no earlier: the pod was ready until then, had no node, or was initialized."""
    steps = ("Ready", "PodScheduled", "Initialized")
    times = [condition(pod, each).get("lastTransitionTime") for each in steps]
    return max(moment(each) for each in (pod["metadata"]["creationTimestamp"], *times) if each)


def _of_deployment(deployment: Manifest) -> Iterator[Problem]:
    """No pod can be made at all: a quota, or an admission rule."""
    failure = condition(deployment, "ReplicaFailure")
    if failure.get("status") == "True":
        since = failure.get("lastTransitionTime") or deployment["metadata"]["creationTimestamp"]
        yield Problem(failure.get("reason", "ReplicaFailure"), failure.get("message", "")[:500], moment(since))
