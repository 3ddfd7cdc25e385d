"""Servers: the path that each puts before an operation's own (OpenAPI 3.1, 4.8.5)."""

import itertools
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

NAME = re.compile(r"\{([^{}]*)\}")
HOST = re.compile(r"^[^/]*://[^/]*")
MAX_PATHS = 20  # of one server, and of all


def base_paths(servers: Any) -> list[str]:
    """Without a slash at the end; without servers it is "/", and so ""."""
    listed = [one for one in servers if isinstance(one, Mapping)] if isinstance(servers, list) else []
    found = (path for one in listed for path in _paths(one))
    return list(itertools.islice(dict.fromkeys(found), MAX_PATHS)) or [""]


def _paths(server: Mapping[str, Any]) -> list[str]:
    """One for each choice of values that the variables may have; the default first."""
    said = server.get("variables")
    variables = said if isinstance(said, Mapping) else {}
    rest = HOST.sub("", str(server.get("url", "")))
    names = list(dict.fromkeys(NAME.findall(rest)))
    choices = itertools.product(*(_values(name, variables.get(name)) for name in names))
    found = (_path(_filled(rest, dict(zip(names, one, strict=True)))) for one in itertools.islice(choices, MAX_PATHS))
    return list(dict.fromkeys(found))


def _filled(template: str, values: Mapping[str, str]) -> str:
    return NAME.sub(lambda match: values[match[1]], template)


def _values(name: str, variable: Any) -> list[str]:
    if not isinstance(variable, Mapping):
        return [f"{{{name}}}"]
    listed = variable.get("enum")
    default = str(variable.get("default", f"{{{name}}}"))
    return list(dict.fromkeys([default, *map(str, listed if isinstance(listed, list) else ())]))


def _path(address: str) -> str:
    try:
        path = urlsplit(address).path
    except ValueError:
        path = address
    return path.rstrip("/") if path.startswith("/") or not path else f"/{path}".rstrip("/")
