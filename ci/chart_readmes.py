"""Writes charts/CHART/README.md of each chart, or those named: what it is, how to install it, and all its values.

A value's words are the comment on its line in values.yaml, else the description in values.schema.json. Charts of
services have the library's defaults under their own.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).parent.parent / "charts"
LIBRARY = "service"
LONGEST_DEFAULT = 100
LINE = """<!-- made by `make generate` from Chart.yaml, values.yaml and values.schema.json -->"""


def comments(path: Path) -> dict[str, str]:
    """Dotted key -> the comment on its line."""
    lines = path.read_text().splitlines()
    found: dict[str, str] = {}

    def walk(node: yaml.MappingNode, prefix: str) -> None:
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            on_one_line = value.style not in {"|", ">"} if isinstance(value, yaml.ScalarNode) else value.flow_style
            end = value if on_one_line else key
            rest = lines[end.end_mark.line][end.end_mark.column :].strip().removeprefix(":").strip()
            if rest.startswith("# "):
                found[name] = rest.removeprefix("# ")
            if isinstance(value, yaml.MappingNode):
                walk(value, f"{name}.")

    root = yaml.compose(path.read_text())
    if isinstance(root, yaml.MappingNode):
        walk(root, "")
    return found


def merged(under: Any, over: Any) -> Any:
    """Maps are merged as Helm merges them."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return under | {key: merged(under.get(key), value) for key, value in over.items()}


def rows(chart: str) -> list[tuple[str, str, str]]:
    """(key, default, words) of every value, in the order of values.yaml."""
    folder = CHARTS / chart
    schema = json.loads((folder / "values.schema.json").read_text())
    values, words = yaml.safe_load((folder / "values.yaml").read_text()), comments(folder / "values.yaml")
    about = yaml.safe_load((folder / "Chart.yaml").read_text())
    if any(each["name"] == LIBRARY for each in about.get("dependencies", [])):
        values = merged(yaml.safe_load((CHARTS / LIBRARY / "values.yaml").read_text()), values)
        words = comments(CHARTS / LIBRARY / "values.yaml") | words
    made: list[tuple[str, str, str]] = []

    def resolved(part: dict[str, Any]) -> dict[str, Any]:
        """What a reference leads to, that of an optional object included."""
        refers = next((each for each in (part, *part.get("anyOf", [])) if "$ref" in each), None)
        if not refers:
            return part
        return {**schema["definitions"][refers["$ref"].removeprefix("#/definitions/")], **part}

    def walk(value: Any, part: dict[str, Any], name: str) -> None:
        part = resolved(part)
        known = part.get("properties", {})
        if name and not (isinstance(value, dict) and value and known):
            made.append((name, default(value), words.get(name) or part.get("description", "")))
            return
        for key, each in value.items():
            walk(each, known.get(key, {}), f"{name}.{key}" if name else key)

    walk(values, schema, "")
    return made


def default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see values.yaml"


def cell(words: str) -> str:
    """A bar would end the table's cell."""
    return words.replace("|", "\\|")


def readme(chart: str) -> str:
    about = yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text())
    table = [f"| `{key}` | {shown} | {cell(words)} |" for key, shown, words in rows(chart)]
    return "\n".join([
        LINE,
        f"# {chart}",
        "",
        f"{about['description']}. Kubernetes {about['kubeVersion'].removesuffix('-0')}.",
        "",
        "```sh",
        f"helm install {chart} oci://REGISTRY/charts/{chart} --version {about['version']} --values my-values.yaml",
        "```",
        "",
        "`ci/` has values for each supported shape. A key that is neither in this table nor `global` is refused.",
        "",
        "| value | default | what it is |",
        "|---|---|---|",
        *table,
        "",
    ])  # fmt: skip


def main(charts: list[str]) -> None:
    made = [path.parent.name for path in sorted(CHARTS.glob("*/values.schema.json"))]
    for chart in charts or made:
        (CHARTS / chart / "README.md").write_text(readme(chart))


if __name__ == "__main__":
    main(sys.argv[1:])
