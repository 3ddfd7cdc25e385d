"""Bodies of requests."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical
from ..findings import Finding, Severity
from ..schema import Undecided
from ..schema.opening import opened
from ..schema.subsets import SCALARS
from .description import Description, Pair
from .encodings import compare_encodings
from .media_types import covering, media_types, schemas_of, shown
from .references import same_reference
from .xml_names import compare_xml

MAX_DEPTH = 8
FORM = "application/x-www-form-urlencoded"
_NONE: Mapping[str, Any] = {}


def compare_bodies(pair: Pair) -> Iterator[Finding]:
    parts = [side.own.get("requestBody", {}) for side in (pair.old, pair.new)]
    if same_reference(pair, *parts):
        return
    try:
        bodies = [side.description.resolve(part) for side, part in zip((pair.old, pair.new), parts, strict=True)]
        yield from list(_compared(pair, *bodies))
    except Undecided as why:
        yield pair.unread(("requestBody",), why)


def _compared(pair: Pair, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Finding]:
    at = ("requestBody",)
    if old and not new:
        yield pair.say(
            "request-body-removed", Severity.BREAKING,
            ", request body: is gone. Keep accepting it, or publish the change as a new major version.",
            at=at, before=sorted(media_types(old)),
        )  # fmt: skip
    elif new and not old:
        yield from _added(pair, new)
    elif new:
        if new.get("required") is True and old.get("required") is not True:
            yield pair.say(
                "request-body-became-required", Severity.BREAKING,
                ", request body: is now required. Keep it optional, or publish the change as a new major version.",
                at=(*at, "required"), before=False, after=True,
            )  # fmt: skip
        yield from _media_types(pair, media_types(old), media_types(new))


def _added(pair: Pair, new: Mapping[str, Any]) -> Iterator[Finding]:
    names = sorted(media_types(new))
    if new.get("required") is True:
        yield pair.say(
            "request-body-required-added", Severity.BREAKING,
            ", request body: is new and required. Make it optional, or publish the change as a new major version.",
            at=("requestBody",), after=names,
        )  # fmt: skip
    else:
        yield pair.say(
            "request-body-added",
            Severity.SAFE,
            ", request body: is new and optional.",
            at=("requestBody",),
            after=names,
        )


def _media_types(pair: Pair, olds: dict[str, Any], news: dict[str, Any]) -> Iterator[Finding]:
    kinds = shown(news)
    for name, old in olds.items():
        at = ("requestBody", "content", name)
        new = covering(name, news)
        if new is None:
            yield pair.say(
                "request-media-type-removed", Severity.BREAKING,
                f", request body: {name} is no longer accepted. Keep it, or publish the change as a new major version.",
                at=at, before=name, after=kinds,
            )  # fmt: skip
        else:
            texts = name == FORM and _of_texts(pair.old.description, old) and _of_texts(pair.new.description, new)
            for keyword, before, after in schemas_of(name, old, new):
                yield from pair.taken(before, after, "request", "request body", (*at, keyword), texts=texts)
                yield from _defaults(pair, before, after, (*at, keyword))
            yield from compare_encodings(pair, name, old, new, at)
            yield from compare_xml(pair, name, old.get("schema", True), new.get("schema", True), (*at, "schema"))
    for name in news.keys() - olds.keys():
        yield pair.say(
            "request-media-type-added", Severity.SAFE, f", request body: {name} is accepted as well.",
            at=("requestBody", "content", name), after=name,
        )  # fmt: skip


def _of_texts(description: Description, media_type: Mapping[str, Any]) -> bool:
    """Whether every part of the form is a text or a list of them: nothing in it is JSON."""
    try:
        parts = _properties(description, media_type.get("schema", True)).values()
        return all(_is_text(description, one, SCALARS | {"null", "array"}) for one in parts)
    except Undecided:
        return False


def _is_text(description: Description, schema: Any, types: frozenset[str]) -> bool:
    return all(
        one.types <= types and ("array" not in one.types or _is_text(description, one.items, SCALARS | {"null"}))
        for one in opened(description.schemas, schema).alternatives
    )


def _defaults(
    pair: Pair, old: Any, new: Any, at: tuple[str | int, ...], seen: set[tuple[int, int]] | None = None
) -> Iterator[Finding]:
    """Of properties that have the same name; those who leave one out get something else."""
    seen = set() if seen is None else seen
    before, after = _properties(pair.old.description, old), _properties(pair.new.description, new)
    if (id(before), id(after)) in seen or len(at) > MAX_DEPTH * 2:
        return
    seen.add((id(before), id(after)))
    for name in sorted(before.keys() & after.keys()):
        place = (*at, "properties", name)
        values = [_default(pair.old.description, before[name]), _default(pair.new.description, after[name])]
        if values[0] != values[1]:
            yield pair.say(
                "request-default-changed", Severity.WARNING,
                f", request body: {name} means {values[1] or 'nothing'} where it is left out, and meant "
                f"{values[0] or 'nothing'}. Keep the default.",
                at=(*place, "default"), before=values[0], after=values[1],
            )  # fmt: skip
        yield from _defaults(pair, before[name], after[name], place, seen)


def _default(description: Description, schema: Any) -> str | None:
    found = description.schemas.mark(schema, "default")
    return None if found is None else canonical(found)


def _properties(description: Description, schema: Any) -> Mapping[str, Any]:
    try:
        plain = description.schemas.plain(schema)
    except Undecided:  # said where the schemas are compared
        return _NONE
    found = plain.get("properties") if isinstance(plain, Mapping) else None
    return found if isinstance(found, Mapping) else _NONE
