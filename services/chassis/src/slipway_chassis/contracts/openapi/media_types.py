"""Media types of bodies and answers: names with parameters, and ranges."""

from collections.abc import Mapping
from typing import Any


def media_types(part: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """By their name in one form (RFC 9110, 8.3.1): small letters, parameters sorted."""
    content = part.get("content")
    if not isinstance(content, Mapping):
        return {}
    return {normal(str(name)): one for name, one in content.items() if isinstance(one, Mapping)}


def normal(name: str) -> str:
    """A media type in the one form that is compared.

    >>> normal("Application/JSON; Version=1; charset=UTF-8")
    'application/json;version=1'
    """
    kind, *listed = (part.strip() for part in name.split(";"))
    kind = kind.lower()
    parameters = sorted(filter(None, map(_parameter, listed)))
    return ";".join([kind, *(one for one in parameters if _matters(kind, one))])


def _parameter(text: str) -> str:
    key, _, value = text.partition("=")
    value = value.strip().strip('"')
    key = key.strip().lower()
    return f"{key}={value.lower() if key == 'charset' else value}" if key else ""


def _matters(kind: str, parameter: str) -> bool:
    """JSON has no charset (RFC 8259, 11), UTF-8 is what everybody expects, and a boundary is new in each message."""
    key, _, value = parameter.partition("=")
    if key == "charset":
        return value not in {"utf-8", "utf8"} and not kind.endswith(("/json", "+json"))
    return key != "boundary"


def covering(name: str, known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The entry for a media type: its own, that without its parameters, or a range such as ``application/*``."""
    kind = name.partition(";")[0]
    for candidate in (name, kind, kind.partition("/")[0] + "/*", "*/*"):
        if candidate in known:
            return known[candidate]
    return None
