"""How parts of forms are written: ``encoding`` of multipart bodies and of URL-encoded ones. Noticed, not understood,
but for what means what is meant without it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical
from ..findings import Finding
from ..schema import Undecided
from ..schema.opening import opened
from ..schema.reading import Flat
from .description import Description, Pair
from .media_types import normal

KEYWORDS = ("encoding", "prefixEncoding", "itemEncoding")
URL_ENCODED = "application/x-www-form-urlencoded"
FORMS = ("multipart/", URL_ENCODED)
STYLED = {"style": "form", "explode": True, "allowReserved": False}  # what the three are by default
SCALARS = {"null", "boolean", "integer", "fraction", "string"}


def compare_encodings(
    pair: Pair, name: str, old: Mapping[str, Any], new: Mapping[str, Any], at: tuple[str | int, ...]
) -> Iterator[Finding]:
    """``name``: the media type; for others than forms the keywords mean nothing (OpenAPI 3.1, 4.8.14)."""
    if not name.startswith(FORMS):
        return
    for keyword in KEYWORDS:
        before, after = old.get(keyword, {}), new.get(keyword, {})
        if keyword == "encoding" and isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from (_other(pair, part, (*at, keyword, part)) for part in _changed(pair, name, old, new))
        elif canonical(before) != canonical(after):
            yield _other(pair, keyword, (*at, keyword))


def _changed(pair: Pair, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """How a part is written that is new changes nothing for those who send the others."""
    before, after = old.get("encoding", {}), new.get("encoding", {})
    olds, news = _form(pair.old.description, old), _form(pair.new.description, new)
    for part in sorted(map(str, before.keys() | after.keys())):
        if canonical(before.get(part)) == canonical(after.get(part)):
            continue
        if olds and not any(part in one.properties for one in olds) and not (part in before and part in after):
            continue
        meant = [
            _without_defaults(name, said.get(part, {}), _kinds(side.description, form, part))
            for side, said, form in ((pair.old, before, olds), (pair.new, after, news))
        ]
        if canonical(meant[0]) != canonical(meant[1]):
            yield part


def _form(description: Description, media_type: Mapping[str, Any]) -> tuple[Flat, ...]:
    """Its alternatives; none where they can't be known."""
    try:
        return opened(description.schemas, description.schemas.plain(media_type.get("schema", True))).alternatives
    except Undecided:
        return ()


def _kinds(description: Description, form: tuple[Flat, ...], part: str) -> tuple[Flat, ...]:
    """What the part may be; of a form that many operations have it is looked up once."""
    schemas = [schema for flat in form for schema in flat.of(part)]

    def found() -> tuple[Flat, ...]:
        try:
            return tuple(one for schema in schemas for one in opened(description.schemas, schema).alternatives)
        except Undecided:
            return ()

    return description.once(("part of a form", *map(id, schemas)), found) if schemas else ()


def _without_defaults(name: str, said: Any, kinds: tuple[Flat, ...]) -> Any:
    """``said`` of a part, without what is meant anyway (OpenAPI 3.1, 4.8.15.1)."""
    if not isinstance(said, Mapping):
        return said
    types = set().union(*(one.types for one in kinds))
    kept = {key: one for key, one in said.items() if key != "description" and not key.startswith("x-")}
    if types and types <= SCALARS | {"array"} and name == URL_ENCODED:  # an object would be JSON without a style
        kept = {key: one for key, one in kept.items() if key not in STYLED or one != STYLED[key]}
    usual = _usual(types, kinds)
    if usual and isinstance(kept.get("contentType"), str) and normal(kept["contentType"]) == usual:
        del kept["contentType"]
    return kept


def _usual(types: set[str], kinds: tuple[Flat, ...]) -> str | None:
    """The media type of a part of which none is said; None: it depends."""
    if types == {"object"}:
        return "application/json"
    encoded = any(said.startswith("content") for one in kinds for said in one.formats)
    return "text/plain" if types and types <= SCALARS and not encoded else None


def _other(pair: Pair, part: str, at: tuple[str | int, ...]) -> Finding:
    return pair.unread(at, Undecided(f"{part} of the form is written in another way"))
