"""Makes the JSON schemas that kubeconform reads, from Kubernetes' own OpenAPI document.

Usage: python k8s/schemas/generate.py SWAGGER_JSON VERSION
SWAGGER_JSON is api/openapi-spec/swagger.json of the Go module k8s.io/kubernetes at that version. Written
to k8s/schemas/vVERSION: one file per kind below, and the definitions they share. Strict: a field that
Kubernetes does not know is an error.
"""

import json
import sys
from pathlib import Path
from typing import Any

RBAC = "io.k8s.api.rbac.v1"
KINDS = {
    "ClusterRole": RBAC,
    "ClusterRoleBinding": RBAC,
    "ConfigMap": "io.k8s.api.core.v1",
    "CronJob": "io.k8s.api.batch.v1",
    "CustomResourceDefinition": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "Deployment": "io.k8s.api.apps.v1",
    "HorizontalPodAutoscaler": "io.k8s.api.autoscaling.v2",
    "Ingress": "io.k8s.api.networking.v1",
    "Job": "io.k8s.api.batch.v1",
    "NetworkPolicy": "io.k8s.api.networking.v1",
    "Pod": "io.k8s.api.core.v1",
    "PodDisruptionBudget": "io.k8s.api.policy.v1",
    "Role": RBAC,
    "RoleBinding": RBAC,
    "Secret": "io.k8s.api.core.v1",
    "Service": "io.k8s.api.core.v1",
    "ServiceAccount": "io.k8s.api.core.v1",
    "StatefulSet": "io.k8s.api.apps.v1",
}
PREFIX = "#/definitions/"
# OpenAPI 2 can't say "string or number"; the API server takes both.
EITHER: dict[str, Any] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
}


def slim(node: Any) -> Any:
    """Without prose and vendor extensions; strict; references into the shared file."""
    if isinstance(node, list):
        return [slim(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: slim(value) for key, value in node.items() if key != "description" or not isinstance(value, str)}
    result = {key: value for key, value in result.items() if not key.startswith("x-kubernetes")}
    if isinstance(node.get("properties"), dict):
        # Names of fields, which may look like extensions: those of a CustomResourceDefinition's schema do.
        result["properties"] = {name: slim(each) for name, each in node["properties"].items()}
        result.setdefault("additionalProperties", False)
    return result


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(references, node))
    if isinstance(node, dict):
        own = {node["$ref"].removeprefix(PREFIX)} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set()


def main(swagger: Path, version: str) -> None:
    everything = json.loads(swagger.read_text())["definitions"]
    needed: dict[str, Any] = {}
    waiting = {f"{group}.{kind}" for kind, group in KINDS.items()}
    while waiting:
        name = waiting.pop()
        needed[name] = EITHER.get(name) or slim(everything[name])
        waiting |= references(needed[name]) - needed.keys()
    folder = Path(__file__).parent / f"v{version}"
    folder.mkdir(exist_ok=True)
    (folder / "_definitions.json").write_text(json.dumps({"definitions": needed}, sort_keys=True) + "\n")
    for kind, package in KINDS.items():
        *_, group, api_version = package.split(".")
        suffix = f"-{api_version}" if group == "core" else f"-{group}-{api_version}"
        schema = {"$ref": f"_definitions.json#/definitions/{package}.{kind}"}
        (folder / f"{kind.lower()}{suffix}.json").write_text(json.dumps(schema) + "\n")


if __name__ == "__main__":
    try:
        _, swagger_json, of_version = sys.argv
    except ValueError:
        sys.exit(__doc__)
    main(Path(swagger_json), of_version)
