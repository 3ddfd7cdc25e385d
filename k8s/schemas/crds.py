"""Makes the JSON schemas that kubeconform reads for our own resources, from their definitions in k8s/crds.

Usage: python k8s/schemas/crds.py FOLDER
Written to FOLDER, one file per resource. Strict: a field that the definition does not have is an error, except where
the API server keeps unknown ones (pod templates).
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).parents[1] / "crds"


def strict(node: Any) -> Any:
    """Without prose and rules; what is not declared is refused."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: strict(value) for key, value in node.items() if key != "description" and not key.startswith("x-")}
    if isinstance(node.get("properties"), dict):
        # Names of fields, of which one may be called description.
        result["properties"] = {name: strict(each) for name, each in node["properties"].items()}
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            result["additionalProperties"] = False
    return result


def schema(definition: dict[str, Any]) -> dict[str, Any]:
    [version] = definition["spec"]["versions"]
    made: dict[str, Any] = strict(version["schema"]["openAPIV3Schema"])
    made["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    return made


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for path in sorted(CRDS.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text())
        kind, group = definition["spec"]["names"]["kind"].lower(), definition["spec"]["group"].split(".")[0]
        [version] = definition["spec"]["versions"]
        (folder / f"{kind}-{group}-{version['name']}.json").write_text(json.dumps(schema(definition)) + "\n")


if __name__ == "__main__":
    try:
        _, target = sys.argv
    except ValueError:
        sys.exit(__doc__)
    main(Path(target))
