"""Parts of schemas in a few words, for people."""

from collections.abc import Iterable
from typing import Any

from .reading import FINITE, Flat

SHOWN_VALUES = 20


def cut(values: Iterable[Any]) -> list[Any]:
    """As many as people read."""
    listed = list(values)
    return listed if len(listed) <= SHOWN_VALUES else [*listed[:SHOWN_VALUES], f"and {len(listed) - SHOWN_VALUES} more"]


def type_names(types: frozenset[str]) -> list[str]:
    """As JSON Schema names them.

    >>> type_names(frozenset({"integer", "fraction", "null"}))
    ['null', 'number']
    """
    names = set(types)
    if "fraction" in names:
        names = (names - {"fraction", "integer"}) | {"number"}
    return sorted(names)


def shown(flat: Flat) -> Any:
    """An alternative in a few words, for people."""
    if flat.values is not None and not flat.types <= FINITE.keys():
        return cut(flat.values.values())
    if flat.types == {"object"} and flat.properties:
        return {"type": "object", "properties": sorted(flat.properties)[:20]}
    return {"type": type_names(flat.types)}
