"""Parameters in path, query, header and cookie."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical
from ..findings import Finding, Severity
from ..schema import constrains
from .description import Operation, Pair, media_types

# OpenAPI says that parameters of these names are to be ignored: other parts describe them.
NOT_PARAMETERS = {"accept", "content-type", "authorization"}
STYLES = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}

Key = tuple[str, str]


def compare_parameters(pair: Pair) -> Iterator[Finding]:
    olds, news = _parameters(pair.old), _parameters(pair.new)
    for key, old in olds.items():
        if key in news:
            yield from _compare(pair, old, news[key])
        else:
            yield _removed(pair, old)
    for key, new in news.items():
        if key not in olds:
            yield _added(pair, new)


def _removed(pair: Pair, old: Mapping[str, Any]) -> Finding:
    """The chassis refuses query parameters it does not know; headers and cookies pass by."""
    refused = old.get("in") == "query"
    return pair.say(
        "query-parameter-removed" if refused else "parameter-removed",
        Severity.BREAKING if refused else Severity.WARNING,
        f", {_name(old)}: is gone. Who still sends it is refused or not heard. Keep it until nobody sends it.",
        at=("parameters", old.get("name", "")), before=old.get("name"),
    )  # fmt: skip


def _parameters(operation: Operation) -> dict[Key, Mapping[str, Any]]:
    """By place and name; those in the path by their position, since their names are not sent."""
    order = re.findall(r"\{([^}]*)\}", operation.path)
    found: dict[Key, Mapping[str, Any]] = {}
    for listed in (operation.item.get("parameters"), operation.own.get("parameters")):
        for part in listed if isinstance(listed, list) else ():
            parameter = operation.description.resolve(part)
            name, place = str(parameter.get("name", "")), str(parameter.get("in", ""))
            if place == "header" and name.lower() in NOT_PARAMETERS:
                continue
            key = name.lower() if place == "header" else name
            found[place, str(order.index(name)) if place == "path" and name in order else key] = parameter
    return found


def _name(parameter: Mapping[str, Any]) -> str:
    return f"{parameter.get('in')} parameter {parameter.get('name')}"


def _required(parameter: Mapping[str, Any]) -> bool:
    return parameter.get("required") is True


def _added(pair: Pair, new: Mapping[str, Any]) -> Finding:
    at = ("parameters", new.get("name", ""))
    if _required(new):
        return pair.say(
            "parameter-required-added", Severity.BREAKING,
            f", {_name(new)}: is new and required. Make it optional, or publish the change as a new major version.",
            at=at, after=new.get("name"),
        )  # fmt: skip
    return pair.say(
        "parameter-added", Severity.SAFE, f", {_name(new)}: is new and optional.", at=at, after=new.get("name")
    )


def _compare(pair: Pair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Finding]:
    at = ("parameters", new["name"])
    if _required(new) and not _required(old):
        yield pair.say(
            "parameter-became-required", Severity.BREAKING,
            f", {_name(new)}: is now required. Keep it optional, or publish the change as a new major version.",
            at=at, before=False, after=True,
        )  # fmt: skip
    if _style(old) != _style(new):
        yield pair.say(
            "parameter-style-changed", Severity.BREAKING,
            f", {_name(new)}: is written in another way. Keep its style and explode, or publish a new major version.",
            at=at, before=_style(old), after=_style(new),
        )  # fmt: skip
    before, after = _schema(old), _schema(new)
    if not (_is_text(after) and _scalar(before)):
        yield from pair.taken(before, after, "parameter", _name(new), (*at, "schema"))
    yield from _default(pair, new, before, after)


def _default(pair: Pair, new: Mapping[str, Any], old_schema: Any, new_schema: Any) -> Iterator[Finding]:
    """Callers who leave it out get something else."""
    before, after = (
        canonical(schema["default"]) if isinstance(schema, Mapping) and "default" in schema else None
        for schema in (old_schema, new_schema)
    )
    if before != after and not _required(new):
        yield pair.say(
            "parameter-default-changed", Severity.BREAKING,
            f", {_name(new)}: without it, {before or 'nothing'} was meant, and now {after or 'nothing'} is. "
            "Keep the default, or publish the change as a new major version.",
            at=("parameters", new["name"], "schema", "default"), before=before, after=after,
        )  # fmt: skip


def _schema(parameter: Mapping[str, Any]) -> Any:
    content = list(media_types(parameter).values())
    return content[0].get("schema", True) if content else parameter.get("schema", True)


def _is_text(schema: Any) -> bool:
    """Any text: whatever is written into an address or a header is one."""
    return isinstance(schema, Mapping) and constrains(schema) == {"type"} and schema["type"] == "string"


def _scalar(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") in {"integer", "number", "boolean", "string"}


def _style(parameter: Mapping[str, Any]) -> list[Any]:
    style = parameter.get("style", STYLES.get(str(parameter.get("in")), "simple"))
    return [style, parameter.get("explode", style == "form"), *sorted(media_types(parameter))]
