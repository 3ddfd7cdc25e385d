"""The README of a chart: what it is, how to install it, and all its values.

A value's words are the comment on its line in values.yaml, else the description in values.schema.json. Charts of
services have the library's defaults under their own.
"""

import json
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, ScalarNode

LIBRARY = "service"  # under its name a chart gives the library's values other defaults
LONGEST_DEFAULT = 100


@dataclass(frozen=True, slots=True)
class Chart:
    """The texts of its files. ``library``: values.yaml of the library chart it is built on."""

    about: str
    values: str
    schema: str
    library: str = ""


def loaded(text: str) -> Any:
    """What a YAML text holds."""
    return YAML(typ="safe", pure=True).load(text)


def comments(text: str) -> dict[str, str]:
    """Dotted key -> the comment on its line."""
    lines = text.splitlines()
    found: dict[str, str] = {}

    def walk(node: MappingNode, prefix: str) -> None:
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            on_one_line = value.style not in {"|", ">"} if isinstance(value, ScalarNode) else value.flow_style
            end = value if on_one_line else key
            rest = lines[end.end_mark.line][end.end_mark.column :].strip().removeprefix(":").strip()
            if rest.startswith("# "):
                found[name] = rest.removeprefix("# ")
            if isinstance(value, MappingNode):
                walk(value, f"{name}.")

    root = YAML(typ="safe", pure=True).compose(text)
    if isinstance(root, MappingNode):
        walk(root, "")
    return found


def merged(under: Any, over: Any) -> Any:
    """Maps are merged as Helm merges them."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return under | {key: merged(under.get(key), value) for key, value in over.items()}


def rows(chart: Chart) -> list[tuple[str, str, str]]:
    """(key, default, words) of every value, in the order of values.yaml."""
    schema = json.loads(chart.schema)
    values, words = loaded(chart.values), comments(chart.values)
    if chart.library:
        own = {key: each for key, each in values.items() if key != LIBRARY}
        values = merged(merged(loaded(chart.library), values.get(LIBRARY, {})), own)
        words = comments(chart.library) | {name.removeprefix(f"{LIBRARY}."): each for name, each in words.items()}
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
        # Where words stand at the map and none in it, they are of the whole.
        if name in words and not any(each.startswith(f"{name}.") for each in words):
            known = {}
        if name and not (isinstance(value, dict) and value and known):
            made.append((name, default(value), words.get(name) or part.get("description", "")))
            return
        for key, each in value.items():
            walk(each, known.get(key, {}), f"{name}.{key}" if name else key)

    walk(values, schema, "")
    return made


def default(value: Any) -> str:
    """As a cell shows it."""
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see values.yaml"


def cell(words: str) -> str:
    """A bar would end the table's cell."""
    return words.replace("|", "\\|")


def readme(chart: Chart, *, made_by: str, install: str) -> str:
    """Markdown. ``made_by``: the command that writes it; ``install``: the one that installs the chart."""
    about = loaded(chart.about)
    table = [f"| `{key}` | {shown} | {cell(words)} |" for key, shown, words in rows(chart)]
    return "\n".join([
        f"<!-- made by `{made_by}` from Chart.yaml, values.yaml and values.schema.json -->",
        f"# {about['name']}",
        "",
        f"{about['description']}. Kubernetes {about['kubeVersion'].removesuffix('-0')}.",
        "",
        "```sh",
        install,
        "```",
        "",
        "`ci/` has values for each supported shape. A key that is neither in this table nor `global` is refused.",
        "",
        "| value | default | what it is |",
        "|---|---|---|",
        *table,
        "",
    ])  # fmt: skip
