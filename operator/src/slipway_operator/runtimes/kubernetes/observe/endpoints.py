"""Which pods a client reaches through a Service: an endpoint counts when each port that its pod serves is there. Pure.

A pod without a port of that name is a ready endpoint as well, in a slice that lacks the port: nothing reaches it there.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ....spec.fields import SERVING
from ....spec.microservice import ServicePort
from ....spec.serviceversion import ServiceVersionSpec
from ..api.kinds import COMPONENT_LABEL, VERSION_LABEL
from .cluster_snapshot import ClusterSnapshot

Manifest = dict[str, Any]

SERVICE_OF_SLICE = "kubernetes.io/service-name"


def endpoints_of(seen: ClusterSnapshot, services: set[str], *, ready: bool) -> dict[str, frozenset[str]]:
    """The ports of the Services at which each pod is reached, by the pod's name. Two address families are one.

    ``ready``: those that are ready alone; otherwise all that stand in a slice.
    """
    found: dict[str, frozenset[str]] = {}
    for each in seen.slices:
        if each["metadata"].get("labels", {}).get(SERVICE_OF_SLICE) not in services:
            continue
        ports = frozenset(port.get("name") or "" for port in each.get("ports") or [])
        for endpoint in each.get("endpoints") or []:
            is_ready = (endpoint.get("conditions") or {}).get("ready") is not False
            if endpoint.get("targetRef") and (is_ready or not ready):
                name = endpoint["targetRef"]["name"]
                found[name] = found.get(name, frozenset()) | ports
    return found


def reached_pods(seen: ClusterSnapshot, services: set[str]) -> Iterator[Manifest]:
    """The pods that clients of the Services reach, at every port that the pod serves."""
    endpoints = endpoints_of(seen, services, ready=True)
    lost = {version for version, record in seen.records.items() if unreachable(seen, record)}
    for pod in seen.pods:
        at = endpoints.get(pod["metadata"]["name"])
        version = pod["metadata"]["labels"].get(VERSION_LABEL, "")
        record = seen.records.get(version)
        # Of a version whose record was deleted nobody knows which ports it should have.
        wanted = served_ports(pod, record.ports) if record else at
        if at and wanted and wanted <= at and version not in lost:
            yield pod


def reached_soon(seen: ClusterSnapshot, service: str, ready: Iterable[Manifest], version: str) -> list[Manifest]:
    """The pods of the version that its Service reaches, and the ready ones of which its slices will say so.

    The endpoints controller lets a second pass between two writes for one Service (endpointSliceChangeMinSyncDelay), so
    a version's own slice lags behind its pods. The active Service's is made of what is ready when it is switched. That
    its ports lead somewhere is seen as soon as a pod stands in a slice, ready or not; pods like it follow.
    """
    reached = [pod for pod in reached_pods(seen, {service}) if pod["metadata"]["labels"].get(VERSION_LABEL) == version]
    record, listed = seen.records.get(version), endpoints_of(seen, {service}, ready=False)
    if record is None or unreachable(seen, record):
        return reached
    found = {pod["metadata"]["name"]: pod for pod in reached}
    lead = {_served(pod, record) for pod in seen.pods if _served(pod, record)[1] <= listed.get(_name(pod), frozenset())}
    for pod in ready:
        served = _served(pod, record)
        if served[1] and served in lead and served[1] <= listed.get(_name(pod), served[1]):
            found.setdefault(_name(pod), pod)
    return list(found.values())


def _name(pod: Manifest) -> str:
    return str(pod["metadata"]["name"])


def _served(pod: Manifest, record: ServiceVersionSpec) -> tuple[str | None, frozenset[str]]:
    return pod["metadata"]["labels"].get(COMPONENT_LABEL), served_ports(pod, record.ports)


def served_ports(pod: Mapping[str, Any], ports: Iterable[ServicePort]) -> frozenset[str]:
    """The names of those Service ports whose target the pod, or the pod template, has."""
    targets = container_ports(pod)
    return frozenset(port.name for port in ports if isinstance(port.target, int) or port.target in targets)


def container_ports(pod: Mapping[str, Any]) -> set[str]:
    """Names of TCP ports, as the endpoints controller looks for them: in sidecars among the init containers as well."""
    spec = pod.get("spec") or {}
    sidecars = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    return {
        port["name"]
        for container in [*(spec.get("containers") or []), *sidecars]
        for port in container.get("ports") or []
        if port.get("name") and port.get("protocol", "TCP") == "TCP"
    }


def unreachable(seen: ClusterSnapshot, record: ServiceVersionSpec) -> str:
    """Why no client can reach the version, however ready its pods are, as a sentence; empty: nothing is known.

    It is known once each component has a pod. Pods are asked, not templates: an admission webhook may add containers.
    """
    served = {
        name: frozenset[str]().union(*(served_ports(pod, record.ports) for pod in pods))
        for name, pods in _serving_pods(seen, record).items()
    }
    if any(name in SERVING and name not in served for name in record.components):
        return ""
    missing = [port for port in record.ports if not any(port.name in ports for ports in served.values())]
    if missing:
        port = missing[0]
        cure = "name the container's port so, or set the targetPort of that port"
        return f"no container has a port called {port.target}, which port {port.port} of the Service leads to: {cure}"
    silent = next((name for name, ports in served.items() if not ports), "")
    return f"no container of its {silent} pods has a port of the Service: name one like one of ports" if silent else ""


def _serving_pods(seen: ClusterSnapshot, record: ServiceVersionSpec) -> dict[str, list[Manifest]]:
    found: dict[str, list[Manifest]] = {}
    for pod in seen.pods:
        labels, phase = pod["metadata"]["labels"], (pod.get("status") or {}).get("phase")
        component = labels.get(COMPONENT_LABEL)
        if labels.get(VERSION_LABEL) != record.hash or component not in SERVING or phase in {"Succeeded", "Failed"}:
            continue
        if not pod["metadata"].get("deletionTimestamp"):
            found.setdefault(component, []).append(pod)
    return found
