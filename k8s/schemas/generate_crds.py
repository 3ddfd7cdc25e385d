"""Makes the JSON schemas that kubeconform reads, from CustomResourceDefinitions of others and of our own.

Usage: python k8s/schemas/generate_crds.py CRD_YAML...
Written to k8s/schemas/crds: one file per kind and served version. Strict, as generate.py's: a field that the
definition does not know is an error, but where it takes any (x-kubernetes-preserve-unknown-fields).
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

TARGET = Path(__file__).parent / "crds"
KEPT = {"type", "enum", "pattern", "format", "required", "minimum", "maximum", "minItems", "maxItems", "minLength"}
KEPT |= {"maxLength", "oneOf", "anyOf", "allOf", "not", "nullable", "const"}


def strict(node: Any) -> Any:
    """Without prose, defaults and vendor extensions; objects with fields take no others."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: strict(value) for key, value in node.items() if key in KEPT}
    if node.get("nullable"):
        return {"anyOf": [{"type": "null"}, strict({key: value for key, value in node.items() if key != "nullable"})]}
    for key in ("items", "additionalProperties"):
        if key in node:
            result[key] = strict(node[key])
    if "properties" in node:
        result["properties"] = {name: strict(each) for name, each in node["properties"].items()}
        # In oneOf and the like only what is compared is named: the object around it is the strict one.
        if node.get("type") == "object" and not node.get("x-kubernetes-preserve-unknown-fields"):
            result.setdefault("additionalProperties", False)
    return result


def write(definition: dict[str, Any]) -> None:
    spec = definition["spec"]
    kind, group = spec["names"]["kind"].lower(), spec["group"].partition(".")[0]
    for version in (each for each in spec["versions"] if each["served"]):
        schema = strict(version["schema"]["openAPIV3Schema"])
        schema["properties"] |= {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        }
        schema["properties"].pop("status", None)
        path = TARGET / f"{kind}-{group}-{version['name']}.json"
        path.write_text(json.dumps(schema, sort_keys=True, separators=(",", ":")) + "\n")


def main(paths: list[str]) -> None:
    TARGET.mkdir(exist_ok=True)
    for path in paths:
        for document in yaml.safe_load_all(Path(path).read_text()):
            if document and document["kind"] == "CustomResourceDefinition":
                write(document)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(__doc__)
    main(sys.argv[1:])
