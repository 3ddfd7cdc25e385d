"""Parameters in path, query, header and cookie."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical
from ..findings import Finding, Severity
from ..schema import Undecided
from ..schema.opening import opened
from ..schema.reading import Flat
from .description import Operation, Pair
from .media_types import media_types, schema_of_value

# OpenAPI says that parameters of these names are to be ignored: other parts describe them.
NOT_PARAMETERS = {"accept", "content-type", "authorization"}
NOTHING_SENT: tuple[Any, ...] = (None, [], {})  # as defaults: a list or an object of none is left out
STYLES = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}

Key = tuple[str, str]


def compare_parameters(pair: Pair) -> Iterator[Finding]:
    olds, news = _parameters(pair.old), _parameters(pair.new)
    for key, old in olds.items():
        if key not in news:
            yield _removed(pair, old)
            continue
        try:
            yield from list(_compare(pair, old, news[key]))
        except Undecided as why:
            yield pair.unread(("parameters", news[key]["name"]), why)
    for key, new in news.items():
        if key not in olds:
            yield _added(pair, key, new)
    yield from _unread(pair)


def _unread(pair: Pair) -> Iterator[Finding]:
    """What can't be followed, unless it is the same reference in both."""
    olds, news = (list(_unfollowed(side)) for side in (pair.old, pair.new))
    for one in (*olds, *news):
        if (one in olds) != (one in news):
            yield pair.unread(("parameters",), Undecided(f"the reference {one[:100]!r} can't be followed"))


def _removed(pair: Pair, old: Mapping[str, Any]) -> Finding:
    """The chassis refuses query parameters it does not know; headers and cookies pass by."""
    refused = old.get("in") == "query"
    return pair.say(
        "query-parameter-removed" if refused else "parameter-removed",
        Severity.BREAKING if refused else Severity.WARNING,
        f", {_name(old)}: is gone. Who still sends it is refused or not heard. Keep it until nobody sends it.",
        at=("parameters", old.get("name", "")), before=old.get("name"),
    )  # fmt: skip


def _listed(operation: Operation) -> Iterator[Any]:
    for listed in (operation.item.get("parameters"), operation.own.get("parameters")):
        yield from listed if isinstance(listed, list) else ()


def _unfollowed(operation: Operation) -> Iterator[str]:
    for part in _listed(operation):
        try:
            operation.description.resolve(part)
        except Undecided:
            yield str(part["$ref"])


def _parameters(operation: Operation) -> dict[Key, Mapping[str, Any]]:
    """By place and name; those in the path by their position, since their names are not sent."""
    order = re.findall(r"\{([^{}]*)\}", operation.path)
    found: dict[Key, Mapping[str, Any]] = {}
    for part in _listed(operation):
        try:
            parameter = operation.description.resolve(part)
        except Undecided:
            continue
        name, place = str(parameter.get("name", "")), str(parameter.get("in", ""))
        if not name or (place == "header" and name.lower() in NOT_PARAMETERS):
            continue
        key = name.lower() if place == "header" else name
        found[place, str(order.index(name)) if place == "path" and name in order else key] = parameter
    return found


def _name(parameter: Mapping[str, Any]) -> str:
    return f"{parameter.get('in')} parameter {parameter.get('name')}"


def _required(parameter: Mapping[str, Any]) -> bool:
    return parameter.get("required") is True


def _added(pair: Pair, key: Key, new: Mapping[str, Any]) -> Finding:
    at = ("parameters", new.get("name", ""))
    if key[0] == "path" and key[1].isdecimal():
        return pair.say(
            "parameter-added", Severity.SAFE, f", {_name(new)}: is said now; its address asked for it before.",
            at=at, after=new.get("name"),
        )  # fmt: skip
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
    before, after = schema_of_value(old), schema_of_value(new)
    styles = [_style(pair.old, old, before), _style(pair.new, new, after)]
    listed = _listed_now(pair, new, before, after)
    if styles[0] != styles[1] and listed is None:
        yield pair.say(
            "parameter-style-changed", Severity.BREAKING,
            f", {_name(new)}: is written in another way. Keep its style and explode, or publish a new major version.",
            at=at, before=styles[0], after=styles[1],
        )  # fmt: skip
    yield from _letters(pair, old, new)
    target = after if listed is None else listed
    texts = not (media_types(old) and media_types(new))  # JSON tells a number from its text in an address as well
    yield from pair.taken(before, target, "parameter", _name(new), (*at, "schema"), texts=texts)
    yield from _default(pair, old, new, before, after)


def _letters(pair: Pair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Finding]:
    """Ways to write a value that were allowed (OpenAPI 3.1, 4.8.12)."""
    for key, what in (("allowEmptyValue", "an empty value"), ("allowReserved", "reserved characters as they are")):
        if old.get("in") == "query" and old.get(key) is True and new.get(key) is not True:
            yield pair.say(
                "parameter-style-changed", Severity.BREAKING,
                f", {_name(new)}: {what} may no longer be sent. Keep {key}, or publish a new major version.",
                at=("parameters", new["name"], key), before=True, after=False,
            )  # fmt: skip


def _default(
    pair: Pair, old: Mapping[str, Any], new: Mapping[str, Any], old_schema: Any, new_schema: Any
) -> Iterator[Finding]:
    """Callers who leave it out get something else. Nobody could leave out what was required."""
    before, after = (
        None if found in NOTHING_SENT else canonical(found)
        for found in (
            pair.old.description.schemas.mark(old_schema, "default"),
            pair.new.description.schemas.mark(new_schema, "default"),
        )
    )
    if before != after and not _required(new) and not _required(old):
        yield pair.say(
            "parameter-default-changed", Severity.BREAKING,
            f", {_name(new)}: without it, {before or 'nothing'} was meant, and now {after or 'nothing'} is. "
            "Keep the default, or publish the change as a new major version.",
            at=("parameters", new["name"], "schema", "default"), before=before, after=after,
        )  # fmt: skip


def _style(operation: Operation, parameter: Mapping[str, Any], schema: Any) -> list[Any]:
    """As far as it shows in the value: a single one has no parts that explode could part (OpenAPI 3.1, 4.8.12)."""
    style = parameter.get("style", STYLES.get(str(parameter.get("in")), "simple"))
    kinds = sorted(media_types(parameter))
    if kinds and not (kinds == ["text/plain"] and _single(operation, schema)):
        return kinds
    if kinds:
        return ["plain"]  # one text is written as it is, whatever says so
    if _single(operation, schema):
        return [style if style in {"label", "matrix"} else "plain"]
    if style == "simple" and not _has(operation, schema, {"object"}):
        return [style]  # a list has commas, exploded or not (RFC 6570, 3.2.2)
    return [style, parameter.get("explode", style == "form")]


def _single(operation: Operation, schema: Any) -> bool:
    """Never a list or an object."""
    return not _has(operation, schema, {"array", "object"})


def _has(operation: Operation, schema: Any, types: set[str]) -> bool:
    return any(types & one.types for one in _alternatives(operation, schema))


def _alternatives(operation: Operation, schema: Any) -> tuple[Flat, ...]:
    try:
        return opened(operation.description.schemas, schema).alternatives
    except Undecided:
        return (Flat(),)


def _listed_now(pair: Pair, new: Mapping[str, Any], old_schema: Any, new_schema: Any) -> Any:
    """The schema of an item, where a single value became a list of them written as q=a&q=b; None: it did not."""
    if new.get("style", "form") != "form" or new.get("explode", True) is not True or new.get("in") != "query":
        return None
    if media_types(new) or not _single(pair.old, old_schema):
        return None
    alternatives = [one for one in _alternatives(pair.new, new_schema) if one.types != {"null"}]
    if len(alternatives) != 1 or alternatives[0].types != {"array"} or alternatives[0].prefix:
        return None
    return alternatives[0].items if alternatives[0].counts.get("minItems", 0) <= 1 else None
