"""Whose an object is: ours by our owner or our label; lent to us by consent, and given back; or somebody else's. Pure.

What is lent has no owner of ours, so that no garbage collector deletes it with the Microservice, and remembers what it
was in an annotation.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..api.kinds import ADOPTED_LABEL, LENT_AS, LENT_LABEL, ROLE_LABEL, SERVICE_LABEL

if TYPE_CHECKING:
    from .manifests import Owner

Manifest = dict[str, Any]

_HELM_RELEASE = "meta.helm.sh/release-name"
_KEEP = "helm.sh/resource-policy"
_MANAGED_BY = "app.kubernetes.io/managed-by"
# Of a Service: what decides where its requests go.
_REMEMBERED = ("selector", "ports", "type", "externalName", "publishNotReadyAddresses")
_CHANGED_LABELS = (SERVICE_LABEL, ROLE_LABEL, LENT_LABEL, ADOPTED_LABEL, _MANAGED_BY)


def is_ours(manifest: Mapping[str, Any], owner: "Owner") -> bool:
    """By its owner; or by our label, where it has no other controller: a restored child, or one that was adopted."""
    references = manifest["metadata"].get("ownerReferences") or []
    if any(each.get("uid") == owner.uid for each in references):
        return True
    labelled = (manifest["metadata"].get("labels") or {}).get(SERVICE_LABEL) == owner.name
    return labelled and not any(each.get("controller") for each in references)


def whose(manifest: Mapping[str, Any]) -> str:
    """For people: the owner, the Helm release, or the program that made it."""
    metadata = manifest["metadata"]
    controller = next((each for each in metadata.get("ownerReferences") or [] if each.get("controller")), None)
    if controller:
        return f"{controller['kind']} {controller['name']}"
    release = (metadata.get("annotations") or {}).get(_HELM_RELEASE)
    if release:
        return f"Helm release {release}"
    by = (metadata.get("labels") or {}).get(_MANAGED_BY)
    managers = [str(each.get("manager")) for each in metadata.get("managedFields") or [] if each.get("manager")]
    return str(by or (managers[0] if managers else "somebody else"))


def is_lent(manifest: Mapping[str, Any]) -> bool:
    return LENT_AS in (manifest["metadata"].get("annotations") or {})


def lending_patch(manifest: Mapping[str, Any], service: str, *, serves: bool = False) -> Manifest:
    """A merge patch that marks a Service, or a Deployment that ``serves``, and remembers what it is now."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    labels = {name: (metadata.get("labels") or {}).get(name) for name in _CHANGED_LABELS}
    names = ("replicas",) if serves else _REMEMBERED
    notes = metadata.get("annotations") or {}
    # Helm would delete what its chart gives up, and asks the live object whether it may.
    keep = {_KEEP: "keep"} if _HELM_RELEASE in notes else {}
    kept = {
        "labels": labels,
        "annotations": {name: notes.get(name) for name in keep},
        "spec": {name: spec.get(name) for name in names},
    }
    marks = {SERVICE_LABEL: service, LENT_LABEL: "true"} | ({ADOPTED_LABEL: "true"} if serves else {})
    seen = {"resourceVersion": metadata["resourceVersion"]} if "resourceVersion" in metadata else {}
    return {"metadata": seen | {"labels": marks, "annotations": keep | {LENT_AS: json.dumps(kept)}}}


def returning_patch(manifest: Mapping[str, Any]) -> Manifest:
    """A merge patch that makes it again what it was when it was lent."""
    metadata = manifest["metadata"]
    kept = json.loads(metadata["annotations"][LENT_AS])
    spec = dict(kept["spec"])
    if "selector" in spec:
        now = manifest["spec"].get("selector") or {}
        spec["selector"] = {**dict.fromkeys(now), **(spec["selector"] or {})}
    owners: Manifest = {"ownerReferences": []} if metadata.get("ownerReferences") else {}
    return {
        "metadata": {"labels": dict(kept["labels"]), "annotations": {**kept.get("annotations", {}), LENT_AS: None}}
        | owners,
        "spec": spec,
    }


def fitted(made: Manifest, there: Mapping[str, Any] | None) -> Manifest:
    """What is to be applied, where something is lent: it is never owned, since an owner's end would be its own."""
    if there is None or not is_lent(there):
        return made
    metadata = {name: each for name, each in made["metadata"].items() if name != "ownerReferences"}
    return made | {"metadata": metadata}


def not_ours(kind: str, manifest: Mapping[str, Any], service: str) -> str:
    """Why the object is not touched, and what helps."""
    name, owner = manifest["metadata"]["name"], whose(manifest)
    said = f"{kind} {name} exists and belongs to {owner}"
    if any(each.get("controller") for each in manifest["metadata"].get("ownerReferences") or []):
        return f"{said}: give one of the two another name"
    if kind == "Service":
        headless = manifest["spec"].get("clusterIP") == "None"
        if headless and not name.endswith("-pods"):
            return (
                f"{said}, and it is headless, so it leads to no other port: delete it, or give the service another name"
            )
        cure = f"kubectl slipway adopt {service} --service {name}, or adopt.services in the spec, hands it over"
        return f"{said}: {cure}"
    return f"{said}: delete it, or give the service another name"


def may_be_taken(manifest: Mapping[str, Any]) -> bool:
    """With consent: what no controller owns. A headless Service stays headless, and its ports lead nowhere else."""
    owned = any(each.get("controller") for each in manifest["metadata"].get("ownerReferences") or [])
    headless = manifest["spec"].get("clusterIP") == "None" and not manifest["metadata"]["name"].endswith("-pods")
    return not owned and not headless
