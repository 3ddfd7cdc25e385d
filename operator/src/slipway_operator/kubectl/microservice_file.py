"""``kubectl slipway adopt deployment/NAME --write FILE``: a Microservice of what runs; the cluster is not changed.

What the API server filled in by itself is left out again, so that a person can read what stays.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..runtimes.kubernetes.objects.ownership import whose
from ..spec.fields import API_VERSION
from ..spec.microservice import MicroserviceSpec
from .checking import check, scaled_by, selects
from .errors import NotPossible

Manifest = dict[str, Any]

# What the API server writes where a Deployment's author wrote nothing.
_POD_DEFAULTS = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
_CONTAINER_DEFAULTS = {
    "imagePullPolicy": "IfNotPresent",
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE_DEFAULTS = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_OF_KUBECTL = "kubectl.kubernetes.io/"
# A release would be refused with them, whatever stands in the file.
_REFUSED = {"owner", "service", "image", "ports"}
PRE_STOP = {"preStop": {"sleep": {"seconds": 5}}}


@dataclass(frozen=True, slots=True)
class Written:
    """The file's text, and what a person should know of it."""

    text: str
    sentences: tuple[str, ...]


def written(
    deployment: Manifest, services: Sequence[Manifest], autoscalers: Sequence[Manifest], *, service: str = ""
) -> Written:
    """Of a Deployment and the Service before it; ``services`` and ``autoscalers``: all of the namespace. NotPossible
    where a release would be refused.
    """
    chosen = _chosen(deployment, services, service)
    found = check(deployment, [chosen], autoscalers)
    refused = [each.sentence for each in found if each.level == "missing" and each.about in _REFUSED]
    if refused:
        raise NotPossible(f"nothing was written: {'; '.join(refused)}")
    name, namespace = chosen["metadata"]["name"], deployment["metadata"]["namespace"]
    component = "grpc" if [port.get("name") for port in chosen["spec"]["ports"]] == ["grpc"] else "http"
    template, added = _template(deployment["spec"]["template"], chosen["spec"]["ports"])
    scaled = list(scaled_by(deployment, autoscalers))
    spec: Manifest = {
        "version": _version(template["spec"]["containers"][0]["image"]),
        **({} if scaled else {"replicas": deployment["spec"].get("replicas", 1)}),
        "ports": [_port(each) for each in chosen["spec"]["ports"]],
        "adopt": {"services": [name], "deployments": [deployment["metadata"]["name"]]},
        "components": {component: {"template": template}},
    }
    _require_valid(spec)
    document = {
        "apiVersion": API_VERSION,
        "kind": "Microservice",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    missing = [each.sentence for each in found if each.level == "missing" and each.about not in {*_REFUSED, "preStop"}]
    text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120)
    return Written(text, (*added, *missing, *_leave(deployment, chosen)))


def _chosen(deployment: Manifest, services: Sequence[Manifest], name: str) -> Manifest:
    full = deployment["metadata"]["name"]
    selecting = [each for each in services if selects(each, deployment["spec"]["template"])]
    names = ", ".join(each["metadata"]["name"] for each in selecting) or "none"
    found = [each for each in selecting if name in {"", each["metadata"]["name"]}]
    if len(found) != 1:
        asked = f"Service {name} does not select" if name else "there is not one Service that selects"
        raise NotPossible(f"{asked} the pods of Deployment {full}: those that do are {names}; name one by --service")
    return found[0]


def _version(image: str) -> str:
    """The tag, or the beginning of the digest."""
    _, _, digest = image.partition("@sha256:")
    tag = digest[:12] or image.rpartition("/")[2].partition(":")[2]
    return re.sub(r"[^A-Za-z0-9._-]", "-", tag)[:63].strip("._-")


def _port(port: Mapping[str, Any]) -> Manifest:
    name, target = port.get("name", "http"), port.get("targetPort", port["port"])
    made = {"name": name, "port": port["port"]}
    protocol = {"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {}
    return made | ({} if target == name else {"targetPort": target}) | protocol


def _template(given: Manifest, ports: Sequence[Mapping[str, Any]]) -> tuple[Manifest, list[str]]:
    """The pod template as its author wrote it, with what keeps requests, and sentences of what was added."""
    meta = {key: value for key, value in (given.get("metadata") or {}).items() if key in {"labels", "annotations"}}
    if "annotations" in meta:
        meta["annotations"] = {
            key: value for key, value in meta["annotations"].items() if not key.startswith(_OF_KUBECTL)
        }
    spec = _without(given["spec"], _POD_DEFAULTS)
    if "serviceAccountName" in spec:
        spec.pop("serviceAccount", None)
    for kind in ("initContainers", "containers"):
        if kind in spec:
            spec[kind] = [_container(each) for each in spec[kind]]
    added = [*_with_port(spec["containers"], ports), *_with_pre_stop(spec["containers"])]
    return {"metadata": {key: value for key, value in meta.items() if value}, "spec": spec}, added


def _container(given: Manifest) -> Manifest:
    made = _without(given, _CONTAINER_DEFAULTS)
    for kind in _PROBES:
        if kind in made:
            made[kind] = _without(made[kind], _PROBE_DEFAULTS)
            if "httpGet" in made[kind]:
                made[kind]["httpGet"] = _without(made[kind]["httpGet"], {"scheme": "HTTP"})
    if "ports" in made:
        made["ports"] = [_without(each, {"protocol": "TCP"}) for each in made["ports"]]
    return made


def _without(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Manifest:
    return {key: value for key, value in given.items() if key not in defaults or value != defaults[key]}


def _with_port(containers: Sequence[Manifest], ports: Sequence[Mapping[str, Any]]) -> list[str]:
    """A Service finds a number that no container names; readiness by the operator does not."""
    named = {port["containerPort"] for each in containers for port in each.get("ports") or []}
    numbers = [target for port in ports if isinstance(target := port.get("targetPort", port["port"]), int)]
    missing = [number for number in numbers if number not in named]
    if missing:
        containers[0].setdefault("ports", []).extend({"containerPort": number} for number in missing)
    return [f"port {number} was added to the ports of container {containers[0]['name']}" for number in missing]


def _with_pre_stop(containers: Sequence[Manifest]) -> list[str]:
    if any((each.get("lifecycle") or {}).get("preStop") for each in containers):
        return []
    containers[0]["lifecycle"] = {**(containers[0].get("lifecycle") or {}), **PRE_STOP}
    return [f"a preStop sleep of 5 s was added to container {containers[0]['name']}: requests would fail as pods end"]


def _require_valid(spec: Manifest) -> None:
    try:
        MicroserviceSpec.model_validate(spec)
    except ValidationError as error:
        [first, *_] = error.errors()
        where = ".".join(str(part) for part in first["loc"])
        raise NotPossible(
            f"nothing was written: spec.{where} of a Microservice would be wrong: {first['msg']}"
        ) from None


def _leave(deployment: Manifest, service: Manifest) -> list[str]:
    return [
        f"{kind} {each['metadata']['name']} is of {whose(each)}: take it out of that chart before its next upgrade"
        for kind, each in (("Deployment", deployment), ("Service", service))
        if whose(each).startswith("Helm release ")
    ]


def write_new(file: Path, text: str) -> None:
    """NotPossible where there is such a file already, or no place for it."""
    try:
        with file.open("x") as written_file:
            written_file.write(text)
    except FileExistsError:
        raise NotPossible(f"{file} is there already, and was left as it is: name another file, or remove it") from None
    except OSError as error:
        raise NotPossible(f"{file} can't be written: {error.strerror}") from None
