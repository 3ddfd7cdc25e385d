"""Copies of ConfigMaps: a version is an image with its configuration, and a way back must find both.

Which content belongs to a version is fixed by the digests in its record. A copy is made of exactly that, or not at all.
Secrets are never copied: the operator may not read them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ....spec.fields import API_VERSION
from ....spec.hashing import version_name
from ....spec.microservice import MicroserviceSpec
from ....spec.serviceversion import MOST_CONFIG_MAPS, ServiceVersionSpec
from ..api.kinds import (
    COPY_OF,
    MANAGER,
    SERVICE_LABEL,
    SERVICE_VERSION,
    VERSION_LABEL,
    is_name,
    shown_name,
)

Manifest = dict[str, Any]
Found = Mapping[str, Manifest | None]  # by name; None: it does not exist

# What belongs to the cluster and is renewed by it.
OF_THE_CLUSTER = {"kube-root-ca.crt", "openshift-service-ca.crt"}
MOST_BYTES = 1024 * 1024
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def _references(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each place in a pod that names a ConfigMap."""
    for volume in _mappings(pod, "volumes"):
        yield from _named([volume, *_mappings(volume.get("projected"), "sources")], "configMap")
    for container in (each for kind in _CONTAINERS for each in _mappings(pod, kind)):
        yield from _named(_mappings(container, "envFrom"), "configMapRef")
        values = [each.get("valueFrom") for each in _mappings(container, "env")]
        yield from _named([each for each in values if isinstance(each, dict)], "configMapKeyRef")


def _mappings(parent: Any, key: str) -> list[dict[str, Any]]:
    """What is no list of objects is left to the API server, which refuses the pod and says why."""
    listed = parent.get(key) if isinstance(parent, Mapping) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _named(sources: list[dict[str, Any]], key: str) -> Iterator[dict[str, Any]]:
    found = (each.get(key) for each in sources)
    yield from (each for each in found if isinstance(each, dict) and isinstance(each.get("name", ""), str))


def named(spec: MicroserviceSpec) -> dict[str, bool]:
    """The ConfigMaps of a version by name, and whether its pods need each of them."""
    templates = [each.template for each in spec.components.values()]
    templates += [each for each in (spec.migrations.expand, spec.migrations.contract) if each]
    found: dict[str, bool] = {}
    for template in templates:
        for reference in _references(template.as_given()["spec"]):
            name = reference.get("name", "")
            if name and name not in OF_THE_CLUSTER:
                found[name] = found.get(name, False) or not reference.get("optional")
    return dict(sorted(found.items()))


def missing(spec: MicroserviceSpec, found: Found) -> str:
    """What keeps the version from being recorded, as a sentence; empty: nothing."""
    names = named(spec)
    if len(names) > MOST_CONFIG_MAPS:
        return f"the pod templates name {len(names)} ConfigMaps, and a version may have {MOST_CONFIG_MAPS}"
    for name in names:
        if not is_name(name):
            return f"{shown_name(name)}, which the pod templates name, is no name of a ConfigMap: correct it"
    for name, needed in names.items():
        if needed and found.get(name) is None:
            return f"ConfigMap {name}, which the pod templates name, does not exist"
    size = sum(len(_content(each)) for name in names if (each := found.get(name)))
    return f"the ConfigMaps of a version may have {MOST_BYTES} bytes, and have {size}" if size > MOST_BYTES else ""


def digests(spec: MicroserviceSpec, found: Found) -> dict[str, str] | None:
    """For the record. None: the version has no ConfigMaps."""
    return {name: digest(found.get(name)) for name in named(spec)} or None


def digest(config_map: Manifest | None) -> str:
    return hashlib.sha256(_content(config_map)).hexdigest()[:16] if config_map else ""


def _content(config_map: Manifest) -> bytes:
    content = {name: config_map.get(name) or {} for name in ("data", "binaryData")}
    return json.dumps(content, sort_keys=True).encode()


def copy_name(record: ServiceVersionSpec, name: str) -> str:
    """Of the content too: what a record of the same version copied earlier may not be deleted yet."""
    words = f"{name}/{(record.config_maps or {})[name]}"
    return f"{version_name(record.service, record.hash)}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def copies(record: ServiceVersionSpec) -> dict[str, str]:
    """Name of each copy that must exist, by the name of what it is a copy of."""
    return {name: copy_name(record, name) for name, content in (record.config_maps or {}).items() if content}


def to_copy(record: ServiceVersionSpec, found: Found) -> dict[str, Manifest | None]:
    """Copies that were looked for and do not exist: each with what it is made of; None: that content is gone."""
    made: dict[str, Manifest | None] = {}
    for name, copied in copies(record).items():
        if copied in found and found[copied] is None:
            original = found.get(name)
            made[name] = original if digest(original) == (record.config_maps or {})[name] else None
    return made


def copy_of(record: ServiceVersionSpec, uid: str, name: str, original: Manifest) -> Manifest:
    """It goes with the record."""
    owner = {
        "apiVersion": API_VERSION,
        "kind": SERVICE_VERSION.name,
        "name": version_name(record.service, record.hash),
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    labels = {
        SERVICE_LABEL: record.service,
        VERSION_LABEL: record.hash,
        "app.kubernetes.io/managed-by": MANAGER,
    }
    metadata = {
        "name": copy_name(record, name),
        "labels": labels,
        "annotations": {COPY_OF: name},
        "ownerReferences": [owner],
    }
    content = {key: original[key] for key in ("data", "binaryData") if original.get(key)}
    return {"metadata": metadata, "immutable": True, **content}


def redirect(pod: Mapping[str, Any], record: ServiceVersionSpec) -> None:
    """The pod reads the copies. An optional one that did not exist does not come into being for this version."""
    for reference in _references(pod):
        if reference.get("name") in (record.config_maps or {}):
            reference["name"] = copy_name(record, reference["name"])
