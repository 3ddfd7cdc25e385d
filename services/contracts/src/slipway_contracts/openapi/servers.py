"""Servers: the path that each puts before an operation's own (OpenAPI 3.1, 4.8.5)."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


def base_paths(servers: Any) -> list[str]:
    """Without a slash at the end; without servers it is "/", and so ""."""
    listed = [one for one in servers if isinstance(one, Mapping)] if isinstance(servers, list) else []
    found = [_path(one) for one in listed]
    return list(dict.fromkeys(found)) or [""]


def _path(server: Mapping[str, Any]) -> str:
    said = server.get("variables")
    variables = said if isinstance(said, Mapping) else {}

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match[1])
        return str(variable.get("default", match[0])) if isinstance(variable, Mapping) else match[0]

    address = re.sub(r"\{([^{}]*)\}", default, str(server.get("url", "")))
    try:
        path = urlsplit(address).path
    except ValueError:
        path = address
    return path.rstrip("/") if path.startswith("/") or not path else f"/{path}".rstrip("/")
