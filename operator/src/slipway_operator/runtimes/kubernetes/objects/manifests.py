"""Manifests of all children of a Microservice: pure, so that a test can read them.

What is added to a pod template here rolls the pods of all versions when it changes with a new operator. So nothing is
added that the release does not need: labels, and for pods that serve a file that shows the label of the drain.
"""

import copy
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....planning.observed import ANY, FOREIGN, MigrationKind
from ....spec.fields import API_VERSION, HASH, SERVING
from ....spec.gates import JobGate
from ....spec.hashing import version_name
from ....spec.microservice import MicroserviceSpec, ServicePort
from ....spec.serviceversion import ServiceVersionSpec
from ....spec.templates import PodTemplate
from ..api.kinds import (
    ATTEMPT,
    COMPONENT_LABEL,
    DRAINING_LABEL,
    FIRST_STARTED,
    GATE,
    MANAGER,
    MICROSERVICE,
    ROLE_LABEL,
    RUN,
    SERVICE_LABEL,
    SERVING_LABEL,
    STARTED,
    VERSION_LABEL,
)
from . import configuration

Manifest = dict[str, Any]

# A Service that selects this version selects nothing: no hash looks like it.
NOTHING = "none"
# A pod reads in this file that its version is draining: `true`, or empty. ADR 3 has the same for a pod that ends.
RELEASE_FOLDER = "/run/slipway"
RELEASE_VOLUME = "slipway-release"
DRAINING_FILE = "draining"
MIGRATION_TRIES = 6


@dataclass(frozen=True, slots=True)
class Owner:
    """The Microservice, as far as its children name it."""

    name: str
    uid: str

    def reference(self) -> Manifest:
        return {
            "apiVersion": API_VERSION,
            "kind": MICROSERVICE.name,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }


# --- names
def active_name(service: str) -> str:
    return service


def preview_name(service: str) -> str:
    return f"{service}-preview"


def pods_name(service: str) -> str:
    """Headless, for gRPC: one connection carries all calls, so callers spread them over the pods themselves."""
    return f"{service}-pods"


def deployment_name(service: str, version: str, component: str) -> str:
    return f"{version_name(service, version)}-{component}"


def migration_name(service: str, version: str, kind: MigrationKind, attempt: int) -> str:
    return f"{version_name(service, version)}-{kind}-{attempt}"


def gate_job_name(service: str, version: str, gate: str, attempt: int, run: int) -> str:
    """A gate's name may be as long as a service's; both do not fit."""
    short = hashlib.sha256(f"{gate}/{attempt}/{run}".encode()).hexdigest()[:8]
    return f"{version_name(service, version)}-gate-{short}"


# --- selectors
def active_selector(service: str, version: str) -> dict[str, str]:
    """Of the active and the preview Service, for a version, ANY or NOTHING."""
    chosen = {} if version == ANY else {VERSION_LABEL: version}
    return {SERVICE_LABEL: service, SERVING_LABEL: "true", **chosen}


def pods_selector(service: str, version: str) -> dict[str, str]:
    return active_selector(service, version) | {COMPONENT_LABEL: "grpc"}


def workload_selector(service: str, version: str, component: str) -> dict[str, str]:
    return {SERVICE_LABEL: service, VERSION_LABEL: version, COMPONENT_LABEL: component}


def selected(service: str, selector: Mapping[str, str], *, grpc: bool = False) -> str:
    """The version a Service selects, or ANY; FOREIGN where the selector is none of ours."""
    version = selector.get(VERSION_LABEL, ANY)
    if version not in {ANY, NOTHING} and not re.fullmatch(HASH, version):
        return FOREIGN  # it selects nothing, whatever else it says
    ours = pods_selector(service, version) if grpc else active_selector(service, version)
    return version if dict(selector) == ours else FOREIGN


# --- objects
def _metadata(owner: Owner, name: str, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> Any:
    return {
        "name": name,
        "labels": {SERVICE_LABEL: owner.name, "app.kubernetes.io/managed-by": MANAGER, **labels},
        **({"annotations": dict(annotations)} if annotations else {}),
        "ownerReferences": [owner.reference()],
    }


def service_version(
    owner: Owner,
    spec: MicroserviceSpec,
    version: str,
    revision: int,
    config_maps: Mapping[str, str] | None = None,
) -> Manifest:
    migrations = spec.migrations
    recorded: Manifest = {
        "service": owner.name,
        "hash": version,
        "revision": revision,
        "label": spec.version,
        "components": {name: each.template.as_given() for name, each in spec.components.items()},
        "ports": [_spec_port(port) for port in spec.ports],
        "group": spec.events.group if spec.events else "",
        "contracts": {},
    }
    for kind, template in (("expand", migrations.expand), ("contract", migrations.contract)):
        if template:
            recorded[kind] = template.as_given()
    if config_maps is not None:
        recorded["configMaps"] = dict(config_maps)
    return {
        "metadata": _metadata(owner, version_name(owner.name, version), {VERSION_LABEL: version}),
        "spec": recorded,
    }


def _spec_port(port: ServicePort) -> Manifest:
    return port.model_dump(by_alias=True, mode="json", exclude_none=True)


def deployment(owner: Owner, record: ServiceVersionSpec, component: str, replicas: int) -> Manifest:
    selector = workload_selector(owner.name, record.hash, component)
    serving = component in SERVING
    labels = {VERSION_LABEL: record.hash, COMPONENT_LABEL: component}
    template = _labelled(record.components[component], selector | ({SERVING_LABEL: "true"} if serving else {}))
    configuration.redirect(template["spec"], record)
    if serving:
        _show_draining(template["spec"])
    return {
        "metadata": _metadata(owner, deployment_name(owner.name, record.hash, component), labels),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 1,
            # The template of a version changes to renew its pods, or by a person: in two rounds, and the way back
            # loses no capacity.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "50%"}},
            "selector": {"matchLabels": selector},
            "template": template,
        },
    }


def _labelled(template: PodTemplate, labels: Mapping[str, str]) -> Manifest:
    made = copy.deepcopy(template.as_given())
    metadata = made.setdefault("metadata", None) or {}
    made["metadata"] = metadata | {"labels": {**(metadata.get("labels") or {}), **labels}}
    return made


def _show_draining(pod: Manifest) -> None:
    shown = {"path": DRAINING_FILE, "fieldRef": {"fieldPath": f"metadata.labels['{DRAINING_LABEL}']"}}
    pod.setdefault("volumes", []).append({"name": RELEASE_VOLUME, "downwardAPI": {"items": [shown]}})
    mount = {"name": RELEASE_VOLUME, "mountPath": RELEASE_FOLDER, "readOnly": True}
    for container in pod["containers"]:
        container.setdefault("volumeMounts", []).append(mount)


def version_service(owner: Owner, record: ServiceVersionSpec) -> Manifest:
    """Headless, always of one version: its EndpointSlices say how ready a version is before it gets any request."""
    selector = active_selector(owner.name, record.hash)
    made = _service(owner, version_name(owner.name, record.hash), "version", selector, record.ports)
    made["metadata"]["labels"][VERSION_LABEL] = record.hash
    made["spec"]["clusterIP"] = "None"
    return made


def active_service(owner: Owner, version: str, ports: tuple[ServicePort, ...]) -> Manifest:
    return _service(owner, active_name(owner.name), "active", active_selector(owner.name, version), ports)


def preview_service(owner: Owner, version: str | None, ports: tuple[ServicePort, ...]) -> Manifest:
    selector = active_selector(owner.name, version or NOTHING)
    return _service(owner, preview_name(owner.name), "preview", selector, ports)


def pods_service(owner: Owner, version: str, ports: tuple[ServicePort, ...]) -> Manifest:
    chosen = tuple(port for port in ports if port.name == "grpc") or ports
    made = _service(owner, pods_name(owner.name), "pods", pods_selector(owner.name, version), chosen)
    made["spec"]["clusterIP"] = "None"
    return made


def _service(
    owner: Owner, name: str, role: str, selector: Mapping[str, str], ports: tuple[ServicePort, ...]
) -> Manifest:
    return {
        "metadata": _metadata(owner, name, {ROLE_LABEL: role}),
        "spec": {
            "selector": dict(selector),
            "ports": [_spec_port(port) | {"protocol": "TCP", "targetPort": port.target} for port in ports],
        },
    }


def disruption_budget(owner: Owner, version: str) -> Manifest:
    """Of the active version. Pods that are not ready may always be evicted: they serve nobody."""
    return {
        "metadata": _metadata(owner, active_name(owner.name), {ROLE_LABEL: "active"}),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": active_selector(owner.name, version)},
        },
    }


def migration_job(
    owner: Owner, record: ServiceVersionSpec, kind: MigrationKind, attempt: int, deadline_seconds: int
) -> Manifest:
    template = record.expand if kind == "expand" else record.contract
    assert template  # noqa: S101 # the planner asks for migrations that exist
    name = migration_name(owner.name, record.hash, kind, attempt)
    made = _job(owner, name, record.hash, kind, template=template, annotations={ATTEMPT: str(attempt)})
    configuration.redirect(made["spec"]["template"]["spec"], record)
    made["spec"] |= {"backoffLimit": MIGRATION_TRIES, "activeDeadlineSeconds": deadline_seconds}
    return made


def gate_job(
    owner: Owner,
    version: str,
    gate: str,
    settings: JobGate,
    *,
    attempt: int,
    run: int,
    first_started: str,
    deadline_seconds: int,
    preview_url: str,
    started: str = "",
) -> Manifest:
    """``started``, ``first_started``: by the operator's clock, with which they are compared."""
    notes = {ATTEMPT: str(attempt), RUN: str(run), GATE: gate, FIRST_STARTED: first_started}
    notes |= {STARTED: started} if started else {}
    name = gate_job_name(owner.name, version, gate, attempt, run)
    made = _job(owner, name, version, "gate", template=settings.template, annotations=notes)
    made["spec"] |= {"backoffLimit": 0, "activeDeadlineSeconds": deadline_seconds}
    for container in made["spec"]["template"]["spec"]["containers"]:
        container.setdefault("env", []).append({"name": "PREVIEW_URL", "value": preview_url})
    return made


def _job(
    owner: Owner, name: str, version: str, role: str, *, template: PodTemplate, annotations: Mapping[str, str]
) -> Manifest:
    labels = {VERSION_LABEL: version, COMPONENT_LABEL: role}
    pod = _labelled(template, {SERVICE_LABEL: owner.name, **labels})
    pod["spec"].setdefault("restartPolicy", "Never")
    # A pod that was evicted, or whose node is lost, says nothing about its version: it runs again.
    evicted = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    # The API server takes this only where failed containers are not restarted in their pod.
    policy = {"podFailurePolicy": {"rules": [evicted]}} if pod["spec"]["restartPolicy"] == "Never" else {}
    return {
        "metadata": _metadata(owner, name, labels | {ROLE_LABEL: role}, annotations),
        "spec": {"template": pod, **policy},
    }
