"""How values are written in XML: ``xml`` of schemas (OpenAPI 3.1, 4.8.26). Noticed, not understood."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical
from ..findings import Finding
from ..schema import Undecided
from .description import Description, Pair

NAMED, LISTED = ("properties",), ("allOf", "anyOf", "oneOf", "prefixItems")
SINGLE = ("items", "additionalProperties", "not")
AS_ANYWAY = {"attribute": False, "wrapped": False}


def compare_xml(pair: Pair, name: str, old: Any, new: Any, at: tuple[str | int, ...]) -> Iterator[Finding]:
    """``name``: the media type; for others than XML the keyword means nothing."""
    if not name.partition(";")[0].endswith(("/xml", "+xml")):
        return
    sides = pair.old.description, pair.new.description
    seen: set[tuple[int, int]] = set()
    left = [(old, new, at)]
    while left:
        before, after, place = left.pop()
        if _written(sides[0], before) != _written(sides[1], after):
            yield pair.unread((*place, "xml"), Undecided("it is written in XML in another way"))
            return
        try:
            plain = [side.schemas.plain(one) for side, one in zip(sides, (before, after), strict=True)]
        except Undecided:  # said where the schemas are compared
            continue
        ids = id(plain[0]), id(plain[1])
        if ids not in seen and all(isinstance(one, Mapping) for one in plain):
            seen.add(ids)
            left += ((*parts, (*place, *path)) for *parts, path in _parts(*plain))


def _written(description: Description, schema: Any) -> str:
    found = description.schemas.mark(schema, "xml")
    said = found if isinstance(found, Mapping) else {}
    return canonical({key: value for key, value in said.items() if AS_ANYWAY.get(key) != value})


def _parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Any, Any, tuple[str | int, ...]]]:
    """Schemas that both have at the same place."""
    for key in SINGLE:
        yield old.get(key, True), new.get(key, True), (key,)
    for key in NAMED:
        befores, afters = old.get(key), new.get(key)
        if isinstance(befores, Mapping) and isinstance(afters, Mapping):
            yield from ((befores[name], afters[name], (key, name)) for name in befores if name in afters)
    for key in LISTED:
        first, second = old.get(key), new.get(key)
        if isinstance(first, list) and isinstance(second, list):
            yield from ((*both, (key, number)) for number, both in enumerate(zip(first, second, strict=False)))
