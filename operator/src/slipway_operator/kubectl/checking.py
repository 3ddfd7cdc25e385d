"""``kubectl slipway check deployment/NAME``: what a Deployment lacks before a Microservice releases its pods. Pure.

Everything that is relied on is looked for; docs/bring-your-own.md says why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..runtimes.kubernetes.api.kinds import CLOSES_CONNECTIONS
from ..runtimes.kubernetes.objects.ownership import may_be_taken, whose

Manifest = dict[str, Any]
Level = Literal["ok", "note", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level  # missing: a release would be refused, or lose requests
    about: str
    sentence: str


def check(
    deployment: Manifest,
    services: Sequence[Manifest],
    autoscalers: Sequence[Manifest],
) -> list[Finding]:
    """``services`` and ``autoscalers``: all of the namespace."""
    pod = deployment["spec"]["template"]
    chosen = [each for each in services if selects(each, pod)]
    return [
        *_owner(deployment),
        *_services(chosen),
        *(found for each in chosen for found in _ports(each, pod)),
        *_containers(pod["spec"]["containers"]),
        *_autoscaled(deployment, autoscalers),
        *_configured(pod),
        *_clients(pod),
        *_admin(pod["spec"]["containers"]),
    ]


def selects(service: Manifest, pod: Mapping[str, Any]) -> bool:
    selector = service["spec"].get("selector") or {}
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


def _owner(deployment: Manifest) -> Iterator[Finding]:
    controlled = any(each.get("controller") for each in deployment["metadata"].get("ownerReferences") or [])
    if controlled:
        yield Finding("missing", "owner", f"{whose(deployment)} makes it again: take it away from there first")
    else:
        yield Finding("ok", "owner", f"it is of {whose(deployment)}")


def _services(chosen: Sequence[Manifest]) -> Iterator[Finding]:
    if not chosen:
        yield Finding("note", "service", "no Service selects its pods: the operator makes one for the Microservice")
    for each in chosen:
        name = each["metadata"]["name"]
        if not may_be_taken(each):
            headless = each["spec"].get("clusterIP") == "None"
            why = "it is headless" if headless else f"it belongs to {whose(each)}"
            yield Finding("missing", "service", f"Service {name} can't be handed over: {why}")
            continue
        said = f"Service {name} is of {whose(each)}: call the Microservice {name}, and hand it over by adopt"
        leave = "; take it out of that chart" if whose(each).startswith("Helm release ") else ""
        yield Finding("note", "service", said + leave)


def _ports(service: Manifest, pod: Mapping[str, Any]) -> Iterator[Finding]:
    ports = [port for each in pod["spec"]["containers"] for port in each.get("ports") or []]
    names = {port["name"] for port in ports if port.get("name")}
    for port in service["spec"].get("ports") or []:
        target, number = port.get("targetPort", port["port"]), port["port"]
        if isinstance(target, str) and target not in names:
            yield Finding("missing", "ports", f"no container has a port called {target}, which port {number} leads to")
        elif target != port.get("name"):
            called = port.get("name", "http")
            wanted = f"{{name: {called}, port: {number}, targetPort: {target}}}"
            yield Finding("note", "ports", f"port {number} leads to {target}: set {wanted} in the Microservice's ports")
        else:
            yield Finding("ok", "ports", f"port {number} leads to the container port {target}")


def _containers(containers: Sequence[Manifest]) -> Iterator[Finding]:
    for each in containers:
        tag = each["image"].rpartition("/")[2].partition(":")[2]
        if "@" not in each["image"] and tag in {"", "latest"}:
            yield Finding("missing", "image", f"{each['image']} can change: name a tag or digest of one build")
    if not any(each.get("readinessProbe") for each in containers):
        said = "no container has a readinessProbe: a pod counts as ready, and gets requests, before it can answer"
        yield Finding("missing", "readiness", said)
    if not any((each.get("lifecycle") or {}).get("preStop") for each in containers):
        said = "no container has lifecycle.preStop: requests fail while pods end; set preStop: {sleep: {seconds: 5}}"
        yield Finding("missing", "preStop", said)


def _autoscaled(deployment: Manifest, autoscalers: Sequence[Manifest]) -> Iterator[Finding]:
    for full in scaled_by(deployment, autoscalers):
        cure = "let its scaleTargetRef name the Microservice, and leave spec.replicas out"
        yield Finding("missing", "autoscaler", f"HorizontalPodAutoscaler {full} scales this Deployment: {cure}")


def scaled_by(deployment: Manifest, autoscalers: Sequence[Manifest]) -> Iterator[str]:
    """Names of those that scale it."""
    name = deployment["metadata"]["name"]
    for each in autoscalers:
        target = each["spec"].get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == ("Deployment", name):
            yield each["metadata"]["name"]


def _configured(pod: Mapping[str, Any]) -> Iterator[Finding]:
    notes = (pod.get("metadata") or {}).get("annotations") or {}
    named = any(
        "configMapRef" in source or "secretRef" in source
        for each in pod["spec"]["containers"]
        for source in each.get("envFrom") or []
    ) or any("configMap" in each or "secret" in each for each in pod["spec"].get("volumes") or [])
    if named and not any("checksum" in each for each in notes):
        said = (
            "it reads ConfigMaps or Secrets, and no annotation has their checksum: a change of them is no new version"
        )
        yield Finding("note", "configuration", said)


def _clients(pod: Mapping[str, Any]) -> Iterator[Finding]:
    notes = (pod.get("metadata") or {}).get("annotations") or {}
    if notes.get(CLOSES_CONNECTIONS) != "true":
        said = (
            "after a switch former pods are replaced, so that clients that keep their connections follow; not where "
            f'the server reads /run/slipway/draining: then say {CLOSES_CONNECTIONS}: "true"'
        )
        yield Finding("note", "clients", said)


def _admin(containers: Sequence[Manifest]) -> Iterator[Finding]:
    ports = {port.get("name") for each in containers for port in each.get("ports") or []}
    if "admin" not in ports:
        said = "no port called admin with /contracts and /metrics: gates of type contracts and analysis have no data"
        yield Finding("note", "gates", said)
