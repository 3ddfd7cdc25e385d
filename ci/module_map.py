"""Writes docs/modules.md: the import contracts of pyproject.toml as pictures."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HEAD = """# Modules, and who may import whom

Made by `make generate` from the import contracts of [pyproject.toml](../pyproject.toml), which `make imports` holds. An
arrow goes from who imports to what is imported; upwards there is none. What lies in one box may not import each other
where `|` stands between, and may where `:` stands. [architecture.md](architecture.md) says why.
"""


def page(contracts: list[dict[str, Any]]) -> str:
    """The whole page; packages with the same layers share a picture."""
    pictures: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for each in contracts:
        if each["type"] == "layers":
            pictures.setdefault(tuple(map(_words, each["layers"])), []).append(each)
    rules = [f"- {each['name']}" for each in contracts if each["type"] != "layers"]
    parts = [HEAD, *(_picture(layers, alike) for layers, alike in pictures.items()), "## And besides", *rules]
    return "\n".join(parts) + "\n"


def _picture(layers: tuple[str, ...], alike: list[dict[str, Any]]) -> str:
    names = [each.get("containers", [each["layers"][0].rpartition(".")[0]])[0] for each in alike]
    boxes = [f'  l{number}["{words}"]' for number, words in enumerate(layers)]
    arrows = " --> ".join(f"l{number}" for number in range(len(boxes)))
    # Services alone have the same layers: named one by one, the page would be another with each new one.
    title = "Each service" if len(alike) > 1 else f"`{names[0]}`"
    return "\n".join(
        [f"## {title}", f"{alike[0]['name']}.", "```mermaid", "flowchart TD", *boxes, f"  {arrows}", "```", ""]
    )


def _words(layer: str) -> str:
    names = re.split(r" ([|:]) ", layer)
    return " ".join(name.rpartition(".")[2] if name not in "|:" else name for name in names)


def main() -> None:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (ROOT / "docs" / "modules.md").write_text(page(found))


if __name__ == "__main__":
    main()
