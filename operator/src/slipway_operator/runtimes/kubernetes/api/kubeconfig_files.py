"""The files of KUBECONFIG as one, as kubectl joins them. What is wrong with them is told by names, never by content."""

import os
from pathlib import Path
from typing import Any

import yaml

from .login import NotUsable

Section = dict[str, Any]

_KINDS = {"contexts": "context", "clusters": "cluster", "users": "user"}
_PATHS = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key", "tokenFile")}


def union_of(paths: str) -> dict[str, Any]:
    """The first file's current-context wins, and the first entry of a name. Each path belongs to its own file.

    Raises:
        NotUsable: a file, or an entry of it, has not the form of a kubeconfig
        OSError: a file can't be read
    """
    files = [Path(path).absolute() for path in paths.split(os.pathsep) if path and Path(path).is_file()]
    if not files:
        raise NotUsable("there is no such file")
    contents = {file: content for file in files if (content := _content(file)) is not None}
    if not contents:
        raise NotUsable("it is empty")
    union: dict[str, Any] = {"current-context": next(filter(None, map(_chosen, contents, contents.values())), "")}
    for plural, kind in _KINDS.items():
        named: dict[str, Section] = {}
        for file, content in contents.items():
            for name, section in _entries(file, content, plural, kind):
                named.setdefault(name, section)
        union[plural] = [{"name": name, kind: section} for name, section in named.items()]
    return union


def text(section: Section, key: str, what: str) -> str:
    """Empty: there is none. ``what``: the section, as it is told of."""
    value = section.get(key)
    if value is not None and not isinstance(value, str):
        raise NotUsable(f"{key} of {what} is not text: put it in quotation marks")
    return value or ""


def mapping(section: Section, key: str, what: str) -> Section:
    """A section in a section."""
    value = section.get(key)
    if value is not None and not isinstance(value, dict):
        raise NotUsable(f"{key} of {what} is not a mapping")
    return value or {}


def _content(file: Path) -> Section | None:
    try:
        content = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)  # the error's words have the line itself
        raise NotUsable(f"{file} is not YAML{f' from line {mark.line + 1} on' if mark else ''}") from None
    if content is not None and not isinstance(content, dict):
        raise NotUsable(f"{file} has no clusters, users and contexts in it")
    return content


def _chosen(file: Path, content: Section) -> str:
    return text(content, "current-context", str(file))


def _entries(file: Path, content: Section, plural: str, kind: str) -> list[tuple[str, Section]]:
    entries = content.get(plural) or []
    if not isinstance(entries, list):
        raise NotUsable(f"{plural} of {file} is not a list")
    found = []
    for place, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise NotUsable(f"number {place} of {plural} in {file} has no name")
        section = mapping(entry, kind, f"{entry['name']} in {plural} of {file}")
        _make_absolute(file.parent, section, kind, f"{kind} {entry['name']}")
        found.append((entry["name"], section))
    return found


def _make_absolute(folder: Path, section: Section, kind: str, what: str) -> None:
    for key in _PATHS.get(kind, ()):
        if path := text(section, key, what):
            section[key] = str(folder / path)
    if kind == "user" and os.sep in (command := text(mapping(section, "exec", what), "command", f"exec of {what}")):
        section["exec"]["command"] = str(folder / command)
