"""Schemas, opened: references resolved, allOf merged, unions as a list of alternatives without unions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..canonical import canonical
from .flattening import flat_of, met
from .gaps import Undecided
from .reading import MAX_REFERENCES, TYPES, Document, Flat, Opened, Schema

MAX_ALTERNATIVES = 200


def opened(document: Document, schema: Schema) -> Opened:
    """What the schema accepts, as alternatives; Undecided where these rules can't tell. Each is opened once."""
    kept = document.opened.get(id(schema))
    if kept is None:
        kept = schema, _open(document, schema, 0)
        document.opened[id(schema)] = kept
    return kept[1]


def _open(document: Document, schema: Schema, depth: int) -> Opened:
    if schema is True:
        return Opened((Flat(),))
    if schema is False:
        return Opened(())
    if not isinstance(schema, Mapping):
        raise Undecided("a schema that is neither true, false nor an object")
    if depth > MAX_REFERENCES:
        raise Undecided("a schema that contains itself without end")
    alternatives = [one for one in (flat_of(document, schema),) if one]
    exclusive = False
    for group in _groups(document, schema):
        choices: list[Flat] = []
        for sub in group.schemas:
            inner = _open(document, sub, depth + 1)
            choices += inner.alternatives
            exclusive = exclusive or inner.exclusive
        exclusive = exclusive or (group.exclusive and not _apart(document, choices))
        if len(choices) * len(alternatives) > MAX_ALTERNATIVES:
            raise Undecided(f"more than {MAX_ALTERNATIVES} alternatives")
        alternatives = [both for one in alternatives for choice in choices if (both := met(document, one, choice))]
    if schema.get("nullable") is True and "type" not in schema:
        alternatives.append(Flat(types=TYPES["null"], values={"null": None}))
    return Opened(tuple(alternatives), exclusive)


@dataclass(frozen=True, slots=True)
class _Group:
    """One of its schemas applies."""

    schemas: list[Schema]
    exclusive: bool = False


def _groups(document: Document, schema: Mapping[str, Any]) -> Iterator[_Group]:
    if isinstance(schema.get("$ref"), str):
        yield _Group([document.resolve(schema["$ref"])])
    for sub in schema.get("allOf", ()):
        yield _Group([sub])
    if schema.get("anyOf"):
        yield _Group(list(schema["anyOf"]))
    if schema.get("oneOf"):
        yield _Group(list(schema["oneOf"]), exclusive=len(schema["oneOf"]) > 1)


def _apart(document: Document, flats: list[Flat]) -> bool:
    """Whether every two of them are disjoint."""
    return all(disjoint(document, one, other) for number, one in enumerate(flats) for other in flats[number + 1 :])


def disjoint(document: Document, one: Flat, other: Flat) -> bool:
    """Whether no value can satisfy both, as far as types, values and a discriminating property tell."""
    if not one.types & other.types:
        return True
    if one.values is not None and other.values is not None:
        return not one.values.keys() & other.values.keys()
    if one.types & other.types != {"object"}:
        return False
    return any(
        _told_apart(document, one.properties.get(name), other.properties.get(name))
        for name in one.required & other.required
    )


def _told_apart(document: Document, one: Schema, other: Schema) -> bool:
    """By their values, as a discriminator does."""
    values = [_values(document, schema) for schema in (one, other)]
    return values[0] is not None and values[1] is not None and not values[0] & values[1]


def _values(document: Document, schema: Schema) -> set[str] | None:
    found = document.plain(schema)
    if not isinstance(found, Mapping):
        return None
    if "const" in found:
        return {canonical(found["const"])}
    return {canonical(value) for value in found["enum"]} if isinstance(found.get("enum"), list) else None
