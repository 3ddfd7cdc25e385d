"""What ``slipway new`` would write, checked whole before anything is written."""

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .. import __version__
from ..errors import ConfigurationError
from .chart_readme import Chart, readme
from .naming import Names
from .project import PYPROJECT, Project
from .published import COMPONENT, LIBRARY, PACKAGES, TAG, UV_VERSION
from .rendering import here, rendered
from .toml_edits import adding, changed, layering
from .yaml_edits import with_include, with_route

Edit = Callable[[str], str]

CONFTEST, README = "tests/conftest.py", "README.md"
IGNORED, PIPELINE = ".gitignore", ".gitlab-ci.yml"
_OF_SLIPWAYS_REPOSITORY = re.compile(r" \(docs/[^)]*\)|; not with k8s/[^|]*(?= \|)")
PLUGIN = "slipway_chassis.testing.plugin"


@dataclass(frozen=True, slots=True)
class Plan:
    """Path below the project's folder -> content. ``kept``: what is there and stays, although it would be written."""

    new: dict[str, str]
    changed: dict[str, str]
    kept: tuple[str, ...]


def plan(project: Project, names: Names, *, events: bool) -> Plan:
    """All files of a new service; ``events``: whether it sends some.

    Raises:
        ConfigurationError: something is there already, or a file that has to know the service is not as it must be.
    """
    facts = _facts(project, names, events=events)
    files = rendered(project.folders(names.service), names, facts)
    edits = {path: edit for path, edit in _edits(project, names, facts) if (project.root / path).exists()}
    _require_room(project, names, [path for path in files if path not in edits])
    after = {path: edit(_text(project.root / path)) for path, edit in edits.items()}
    files |= _made_of_others(project, names, files)
    as_before = {path for path, text in after.items() if text == _text(project.root / path)}
    return Plan(
        new={path: content for path, content in files.items() if path not in after},
        changed={path: content for path, content in after.items() if path not in as_before},
        kept=tuple(sorted(as_before & files.keys())),
    )


def _facts(project: Project, names: Names, *, events: bool) -> dict[str, Any]:
    folders = project.folders(names.service)
    return {
        "mode": project.mode,
        "events": events,
        "folder": folders["service"],
        "tests": folders["tests"],
        "registry": project.registry,
        "component": f"{COMPONENT}@v{TAG}",
        "versions": PACKAGES,
        "library_version": LIBRARY,
        "chassis_version": __version__,
        "chart_version": TAG,
        "uv_version": UV_VERSION,
    }


def _made_of_others(project: Project, names: Names, files: dict[str, str]) -> dict[str, str]:
    """Schema and README of its chart, in Slipway's repository as `make generate` makes them."""
    folder = project.folders(names.service)["chart"]
    library = here() / "library"
    schema = (library / "service.schema.json").read_text(encoding="utf-8")
    schema = schema.replace("Values of a Slipway service", names.service)
    defaults = (library / "values.yaml").read_text(encoding="utf-8")
    chart = Chart(files[f"{folder}/Chart.yaml"], files[f"{folder}/values.yaml"], schema, defaults)
    made_by, place = "slipway new", f"./{folder}"
    if project.mode == "platform":
        made_by, place = "make generate", f"oci://REGISTRY/charts/{names.service} --version {TAG}"
    install = f"helm install {names.service} {place} --values my-values.yaml"
    page = readme(chart, made_by=made_by, install=install)
    if project.mode != "platform":
        page = _OF_SLIPWAYS_REPOSITORY.sub("", page)
    return {f"{folder}/values.schema.json": schema, f"{folder}/README.md": page}


def _edits(project: Project, names: Names, facts: dict[str, Any]) -> Iterator[tuple[str, Edit]]:
    """What is there gets to know the service: path -> how."""
    own = rendered({"service": ".", "project": "."}, names, facts)
    if project.mode == "project":
        additions = tomllib.loads(own[PYPROJECT])
        yield README, lambda text: text
    else:
        additions = _of_workspace(project, names, facts)
        gateway = str(project.gateway)
        yield gateway, lambda text: with_route(gateway, text, names.service)
    rules = layering(names.service, project.services)
    yield PYPROJECT, lambda text: changed(PYPROJECT, text, *adding(additions), rules)
    if project.mode != "platform":
        yield IGNORED, lambda text: _with_lines(text, own[IGNORED])
        yield PIPELINE, lambda text: with_include(PIPELINE, text, own[PIPELINE])
        yield CONFTEST, _require_plugin


def _of_workspace(project: Project, names: Names, facts: dict[str, Any]) -> dict[str, Any]:
    """What its pyproject.toml says of a further service: that it is run, installed and tested."""
    declared = tomllib.loads(rendered({"service": "."}, names, facts | {"mode": "project"})[PYPROJECT])["tool"]
    service = {"services": declared["slipway"]["services"]}
    if project.mode == "platform":
        return {"tool": {"slipway": service}}
    there = tomllib.loads(_text(project.root / PYPROJECT)).get("tool", {})
    members = there.get("uv", {}).get("workspace", {}).get("members", [])
    of_uv = any(PurePosixPath(facts["folder"]).match(pattern) for pattern in members)
    source = {"workspace": True} if of_uv else {"path": facts["folder"], "editable": True}
    return {
        "dependency-groups": {"dev": [names.service]},
        "tool": {
            "uv": {"sources": {names.service: source}},
            "pytest": {"ini_options": {"markers": declared["pytest"]["ini_options"]["markers"]}},
            "slipway": service,
        },
    }


def _require_room(project: Project, names: Names, files: list[str]) -> None:
    """A folder of the service alone that is there is another's, whatever it holds."""
    folders = project.folders(names.service)
    own = [folders[part] for part in ("service", "tests", "chart")]
    if project.mode == "project":
        own = [f"src/{names.service}", folders["chart"]]
    for path in (*own, *files):
        if (project.root / path).exists():
            raise ConfigurationError(f"{path} exists already; nothing was written")
    for path in files:
        for above in PurePosixPath(path).parents:
            if (project.root / above).exists() and not (project.root / above).is_dir():
                raise ConfigurationError(f"{above} is a file, and has to be a folder; nothing was written")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} can't be read: {error}") from error


def _with_lines(text: str, wanted: str) -> str:
    lacking = [line for line in wanted.splitlines() if line not in text.splitlines()]
    ended = text if not text or text.endswith("\n") else f"{text}\n"
    return ended + "".join(f"{line}\n" for line in lacking)


def _require_plugin(text: str) -> str:
    if PLUGIN not in text:
        raise ConfigurationError(f'{CONFTEST} lacks the fixtures of services. Add: pytest_plugins = ["{PLUGIN}"]')
    return text
