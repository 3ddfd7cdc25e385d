"""Servers: the path that each puts before an operation's own (OpenAPI 3.1, 4.8.5)."""

import itertools
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

NAME = re.compile(r"\{([^{}]*)\}")
MAX_PATHS = 50  # of one server


def base_paths(servers: Any) -> list[str]:
    """Without a slash at the end; without servers it is "/", and so ""."""
    listed = [one for one in servers if isinstance(one, Mapping)] if isinstance(servers, list) else []
    found = [path for one in listed for path in _paths(one)]
    return list(dict.fromkeys(found)) or [""]


def _paths(server: Mapping[str, Any]) -> list[str]:
    """One for each choice of values that the variables may have; the default first."""
    said = server.get("variables")
    variables = said if isinstance(said, Mapping) else {}
    url = str(server.get("url", ""))
    names = list(dict.fromkeys(NAME.findall(url)))
    choices = itertools.islice(itertools.product(*(_values(name, variables.get(name)) for name in names)), MAX_PATHS)
    addresses = (NAME.sub(lambda match, chosen=dict(zip(names, one, strict=True)): chosen[match[1]], url)
                 for one in choices)  # fmt: skip
    return list(dict.fromkeys(map(_path, addresses)))


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
