"""The definitions of the custom resources, made from the models.

``python -m slipway_operator.spec.crds`` prints all of them, with a plural name (``microservices``) that one.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import BaseModel

from ..errors import UnknownResource
from .fields import GROUP, LONGEST_NAME, VERSION
from .microservice import MicroserviceSpec
from .releaseplan import ReleasePlanSpec, ReleasePlanStatus
from .schema import structural
from .serviceversion import NAME_ENDS_WITH_HASH, ServiceVersionSpec, ServiceVersionStatus
from .status import MicroserviceStatus

HEADER = "# Made from operator/src/slipway_operator/spec: make generate. docs/glossary.md has the words.\n"
# kstatus and Helm take an object without a status for ready; this one says that nobody has looked yet.
UNSEEN = {"observedGeneration": -1}

Column = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Resource:
    kind: str
    plural: str
    short: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: Sequence[Column] = ()
    wide: Sequence[Column] = ()
    rules: Sequence[tuple[str, str]] = ()
    scale: Mapping[str, str] = field(default_factory=dict)


_NAME = (
    f"size(self.metadata.name) <= {LONGEST_NAME} && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    f"Services are named after it: use at most {LONGEST_NAME} characters of a-z, 0-9 and -, beginning with a letter.",
)

RESOURCES = (
    Resource(
        "Microservice",
        "microservices",
        "ms",
        "Microservice is a service with its components, its release strategy and its active version.",
        MicroserviceSpec,
        MicroserviceStatus,
        columns=(
            ("Active", "string", ".status.activeVersion"),
            ("Candidate", "string", ".status.candidateVersion"),
            ("Phase", "string", ".status.phase"),
            ("Step", "string", ".status.step"),
            ("Ready", "string", ".status.readiness"),
            ("Consumers", "string", ".status.consumers"),
        ),
        wide=(("Blocked-By", "string", ".status.blockedBy"),),
        rules=(_NAME,),
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    ),
    Resource(
        "ServiceVersion",
        "serviceversions",
        "sv",
        "ServiceVersion is the immutable record of one version of a service, and the target of a rollback.",
        ServiceVersionSpec,
        ServiceVersionStatus,
        columns=(
            ("Service", "string", ".spec.service"),
            ("Version", "string", ".spec.label"),
            ("Revision", "integer", ".spec.revision"),
            ("Active-From", "date", ".status.activeFrom"),
        ),
        wide=(("Retired", "string", ".status.retired"), ("Ended-Because", "string", ".status.endedBecause")),
        rules=(NAME_ENDS_WITH_HASH,),
    ),
    Resource(
        "ReleasePlan",
        "releaseplans",
        "rp",
        "ReleasePlan releases several services in waves: all get their new version, or all are rolled back.",
        ReleasePlanSpec,
        ReleasePlanStatus,
        columns=(
            ("Phase", "string", ".status.phase"),
            ("Wave", "string", ".status.wave"),
            ("Released", "integer", ".status.released"),
        ),
        wide=(("Blocked-By", "string", ".status.blockedBy"), ("Failure", "string", ".status.failure")),
        rules=(_NAME,),
    ),
)


def definition(resource: Resource) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": [resource.short],
                "categories": ["slipway"],
            },
            "scope": "Namespaced",
            "versions": [_version(resource)],
        },
    }


def _version(resource: Resource) -> dict[str, Any]:
    columns = [{"name": name, "type": kind, "jsonPath": path} for name, kind, path in resource.columns]
    wide = [{"name": name, "type": kind, "jsonPath": path, "priority": 1} for name, kind, path in resource.wide]
    age = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    subresources: dict[str, Any] = {"status": {}}
    if resource.scale:
        subresources["scale"] = dict(resource.scale)
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema(resource)},
        "subresources": subresources,
        "additionalPrinterColumns": [*columns, *wide, age],
    }


def _schema(resource: Resource) -> dict[str, Any]:
    spec = structural(resource.spec) | {"description": f"Specification of the desired state of the {resource.kind}."}
    status = _without_defaults(structural(resource.status)) | {
        "description": f"Most recently observed state of the {resource.kind}, written by the operator."
    }
    if "observedGeneration" in status["properties"]:
        status["default"] = dict(UNSEEN)
    validations = [{"rule": rule, "message": message} for rule, message in resource.rules]
    return {
        "description": resource.description,
        "type": "object",
        "required": ["spec"],
        **({"x-kubernetes-validations": validations} if validations else {}),
        "properties": {
            "apiVersion": {"description": "APIVersion defines the versioned schema of this object.", "type": "string"},
            "kind": {"description": "Kind of this object, in CamelCase.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def _without_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """A status is written by the operator alone; a new object shows that nobody has looked, and nothing else."""
    made = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in made:
        made["properties"] = {name: _without_defaults(each) for name, each in made["properties"].items()}
    if "items" in made:
        made["items"] = _without_defaults(made["items"])
    return made


def text(resource: Resource) -> str:
    plain = json.loads(json.dumps(definition(resource)))  # parts used twice would become YAML anchors
    return HEADER + yaml.safe_dump(plain, sort_keys=False, width=110, allow_unicode=True)


def named(plural: str) -> Resource:
    for resource in RESOURCES:
        if resource.plural == plural:
            return resource
    known = ", ".join(resource.plural for resource in RESOURCES)
    raise UnknownResource(f"'{plural}' is no resource of {GROUP}; there are {known}.")


if __name__ == "__main__":
    chosen = [named(plural) for plural in sys.argv[1:]] or RESOURCES
    sys.stdout.write("---\n".join(text(resource) for resource in chosen))
