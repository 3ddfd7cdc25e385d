"""``kubectl slipway adopt`` for any Service and Deployment: they are marked, and the operator gives them back one day.

All of it is checked before the first object is written.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..runtimes.kubernetes.api.kinds import SERVICE_LABEL
from ..runtimes.kubernetes.objects.manifests import Owner, active_name, pods_name, preview_name
from ..runtimes.kubernetes.objects.ownership import (
    is_lent,
    lending_patch,
    may_be_taken,
    not_ours,
    whose,
)
from .adoption import DEPLOYMENT, MICROSERVICE, SERVICE, Objects
from .errors import NotPossible

Manifest = dict[str, Any]


def lend(objects: Objects, name: str, *, services: Sequence[str], deployments: Sequence[str]) -> list[str]:
    """What was done, in sentences.

    ``services``: names of the service's own, NAME by default; ``deployments``: those whose pods serve now.
    """
    names = (active_name(name), preview_name(name), pods_name(name))
    for each in services:
        if each not in names:
            raise NotPossible(f"Service {each} is none of {name}: a Microservice {name} has {', '.join(names)}")
    found = [_found(objects, "Service", SERVICE, each) for each in services or (name,)]
    serving = [_found(objects, "Deployment", DEPLOYMENT, each) for each in deployments]
    microservice = objects.get(MICROSERVICE, name)
    owner = Owner(name, microservice["metadata"]["uid"] if microservice else "")
    things = [*((SERVICE, "Service", each) for each in found), *((DEPLOYMENT, "Deployment", each) for each in serving)]
    for _, title, manifest in things:
        _check(title, manifest, owner)
    for manifest in serving:
        _check_serves(manifest, found[0])
    for kind, _, manifest in things:
        if not is_lent(manifest):
            patch = lending_patch(manifest, name, serves=kind == DEPLOYMENT)
            objects.patch(kind, manifest["metadata"]["name"], patch)
    return [*_said(found, serving, name), *_leave_the_chart(found + serving)]


def _found(objects: Objects, title: str, kind: str, name: str) -> Manifest:
    there = objects.get(kind, name)
    if there is None:
        raise NotPossible(f"there is no {title} {name} in namespace {objects.namespace}: nothing was changed")
    return there


def _check(kind: str, manifest: Manifest, owner: Owner) -> None:
    label = (manifest["metadata"].get("labels") or {}).get(SERVICE_LABEL)
    full = manifest["metadata"]["name"]
    if any(owner.uid and each.get("uid") == owner.uid for each in manifest["metadata"].get("ownerReferences") or []):
        raise NotPossible(f"{kind} {full} is the operator's already: it made it for {owner.name}")
    if label and label != owner.name:
        raise NotPossible(f"{kind} {full} was handed over to {label} already: kubectl slipway orphan {label} undoes it")
    if not may_be_taken(manifest):
        raise NotPossible(not_ours(kind, manifest, owner.name))


def _check_serves(deployment: Manifest, service: Manifest) -> None:
    selector = service["spec"].get("selector") or {}
    labels = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
    if not selector or not selects(selector, labels):
        raise NotPossible(
            f"Service {service['metadata']['name']} does not select the pods of Deployment "
            f"{deployment['metadata']['name']}: name the one that serves"
        )


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in selector.items())


def _said(found: list[Manifest], serving: list[Manifest], name: str) -> list[str]:
    things = [f"Service {each['metadata']['name']}" for each in found]
    things += [f"Deployment {each['metadata']['name']}" for each in serving]
    first = f"handed over to {name}: {', '.join(things)}"
    if serving:
        return [first, f"they serve until the first version of Microservice {name} has as many ready pods"]
    return [first, "its pods stay up beside the first version: scale their Deployment down when that serves"]


def _leave_the_chart(things: list[Manifest]) -> list[str]:
    """Two owners of one selector undo each other at each upgrade."""
    return [
        f"{each['metadata']['name']} is of {whose(each)}: take it out of that chart before its next upgrade; it stays"
        for each in things
        if whose(each).startswith("Helm release ")
    ]
