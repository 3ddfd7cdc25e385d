"""Templates to files. Names of folders, files and things are placeholders; what differs by mode is Jinja's."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Any

from jinja2 import Environment, StrictUndefined

from .naming import Names

SUFFIX = ".tmpl"
# Braces are Helm's and Python's.
_JINJA = Environment(  # noqa: S701 # no HTML
    block_start_string="<%",
    block_end_string="%>",
    variable_start_string="<%=",
    variable_end_string="%>",
    comment_start_string="<#",
    comment_end_string="#>",
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=StrictUndefined,
)


def here() -> Traversable:
    """This package as it is installed: a folder, or part of an archive."""
    return files(__package__)


def rendered(folders: Mapping[str, str], names: Names, facts: Mapping[str, Any]) -> dict[str, str]:
    """Path -> content of each template in ``folders`` (folder of templates -> where it goes). A template of which
    nothing is left is no file.
    """
    made: dict[str, str] = {}
    for folder, target in folders.items():
        for path, template in _templates(here() / "templates" / folder):
            content = _named(_JINJA.from_string(template).render(facts), names)
            if content.strip() or not template.strip():
                made[str(PurePosixPath(target) / _named(path, names))] = content
    return made


def _named(text: str, names: Names) -> str:
    for placeholder, word in names.words().items():
        text = text.replace(placeholder, word)
    return text


def _templates(folder: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _templates(entry, f"{above}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield above + entry.name.removesuffix(SUFFIX), entry.read_text(encoding="utf-8")
