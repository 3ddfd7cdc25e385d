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
    olds, news = _parts(pair.old.description, old), _parts(pair.new.description, new)
    for part in sorted(map(str, before.keys() | after.keys())):
        if olds is not None and part not in olds and not (part in before and part in after):
            continue
        meant = [
            _without_defaults(name, said.get(part, {}), (known or {}).get(part, []))
            for said, known in ((before, olds), (after, news))
        ]
        if canonical(meant[0]) != canonical(meant[1]):
            yield part


def _parts(description: Description, media_type: Mapping[str, Any]) -> dict[str, list[Flat]] | None:
    """The form's parts, each with its alternatives; None where they can't be known."""
    try:
        schemas = description.schemas
        form = opened(schemas, media_type.get("schema", True)).alternatives
        names = sorted({name for flat in form for name in flat.properties})
        return {
            name: [one for flat in form for part in flat.of(name) for one in opened(schemas, part).alternatives]
            for name in names
        }
    except Undecided:
        return None


def _without_defaults(name: str, said: Any, kinds: list[Flat]) -> Any:
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


def _usual(types: set[str], kinds: list[Flat]) -> str | None:
    """The media type of a part of which none is said; None: it depends."""
    if types == {"object"}:
        return "application/json"
    encoded = any(said.startswith("content") for one in kinds for said in one.formats)
    return "text/plain" if types and types <= SCALARS and not encoded else None


def _other(pair: Pair, part: str, at: tuple[str | int, ...]) -> Finding:
    return pair.unread(at, Undecided(f"{part} of the form is written in another way"))
