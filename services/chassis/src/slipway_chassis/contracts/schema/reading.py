"""Schemas, opened: references resolved, allOf merged, unions as a list of alternatives without unions."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ..canonical import canonical
from .gaps import Undecided

Schema = Any  # bool or dict
FINITE = {"null": (None,), "boolean": (False, True)}
# Numbers that are integers and those that are not: so types are plain sets.
TYPES: Mapping[str, frozenset[str]] = {
    "number": frozenset({"integer", "fraction"}),
    **{name: frozenset({name}) for name in ("null", "boolean", "integer", "string", "array", "object")},
}
ANYTHING = frozenset[str]().union(*TYPES.values())
COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
MAX_ALTERNATIVES = 200
MAX_REFERENCES = 50


@dataclass(frozen=True, slots=True)
class Flat:
    """One alternative: a schema without references, allOf, anyOf and oneOf at its top."""

    types: frozenset[str] = ANYTHING
    values: Mapping[str, Any] | None = None  # enum and const, by their canonical text
    low: tuple[float, bool] | None = None  # the bound, and whether it is excluded
    high: tuple[float, bool] | None = None
    multiples: frozenset[float] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)
    patterns: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()
    properties: Mapping[str, Schema] = field(default_factory=dict)
    pattern_properties: Mapping[str, Schema] = field(default_factory=dict)
    additional: Schema = True
    silent: bool = True  # additionalProperties is not said anywhere
    required: frozenset[str] = frozenset()
    names: Schema = True
    dependent: Mapping[str, frozenset[str]] = field(default_factory=dict)
    prefix: tuple[Schema, ...] = ()
    items: Schema = True
    unique: bool = False
    nots: tuple[Schema, ...] = ()
    contains: tuple[tuple[Schema, int, int | None], ...] = ()
    conditions: Mapping[str, Schema] = field(default_factory=dict)  # what is only compared for being the same

    def of(self, name: str) -> list[Schema]:
        """The schemas that a declared property must satisfy; empty: it falls under ``additional``."""
        found = [self.properties[name]] if name in self.properties else []
        return found + [schema for pattern, schema in self.pattern_properties.items() if matches(pattern, name)]


@dataclass(frozen=True, slots=True)
class Opened:
    alternatives: tuple[Flat, ...]
    exclusive: bool = False  # a oneOf whose alternatives may overlap: what fits two of them is refused


def matches(pattern: str, text: str) -> bool:
    """Asks only patterns whose time is bounded: contracts come from elsewhere, and ``re`` backtracks."""
    tame = len(pattern) <= 100 and len(text) <= 200 and "(" not in pattern and len(re.findall(r"[*+{]", pattern)) <= 2  # noqa: PLR2004
    if not tame:
        raise Undecided(f"the pattern {pattern[:60]!r} is too intricate to be tried on names and values")
    try:
        return re.search(pattern, text) is not None
    except re.error:
        raise Undecided(f"the pattern {pattern[:60]!r} can't be read") from None


class Document:
    """A document and what was opened of it. ``ignore``: see Reading."""

    def __init__(self, root: Any, ignore: str = "") -> None:
        self.root = root
        self.ignore = ignore
        self._both: dict[tuple[int, int], Schema] = {}
        self._opened: dict[int, tuple[Schema, Opened]] = {}  # the schema is kept, so that its id stays its own

    def both(self, one: Schema, other: Schema) -> Schema:
        """What satisfies both. The same pair gives the same object: recursion is noticed by identity."""
        if one is True or one is other:
            return other
        if other is True:
            return one
        return self._both.setdefault((id(one), id(other)), {"allOf": [one, other]})

    def all(self, schemas: list[Schema]) -> Schema:
        result: Schema = True
        for schema in schemas:
            result = self.both(result, schema)
        return result

    def resolve(self, reference: str) -> Schema:
        if not reference.startswith("#"):
            raise Undecided(f"the reference {reference[:100]!r} leads outside of the document")
        found = self.root
        for token in reference[1:].split("/")[1:]:
            name = unquote(token).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, Mapping) and name in found:
                found = found[name]
            else:
                raise Undecided(f"the reference {reference[:100]!r} leads nowhere")
        return found

    def plain(self, schema: Schema) -> Schema:
        """Follows references that stand alone."""
        for _ in range(MAX_REFERENCES):
            if not (isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str) and not constrains(schema)):
                return schema
            schema = self.resolve(schema["$ref"])
        raise Undecided("a reference leads back to itself")

    def open(self, schema: Schema) -> Opened:
        known = self._opened.get(id(schema))
        if known is None:
            known = schema, _open(self, schema, 0)
            self._opened[id(schema)] = known
        return known[1]


ANNOTATIONS = {
    "title", "description", "examples", "example", "default", "deprecated", "readOnly", "writeOnly", "$comment", "$id",
    "id", "$schema", "$anchor", "$defs", "definitions", "externalDocs", "xml", "discriminator", "$vocabulary",
}  # fmt: skip


def constrains(schema: Mapping[str, Any]) -> set[str]:
    """The keywords that decide what is accepted, without ``$ref``."""
    return {key for key in schema if key not in ANNOTATIONS and key != "$ref" and not key.startswith("x-")}


def _open(document: Document, schema: Schema, depth: int) -> Opened:
    from .flattening import flat_of, met  # noqa: PLC0415 # each needs the other: a property may be a merged schema

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
            opened = _open(document, sub, depth + 1)
            choices += opened.alternatives
            exclusive = exclusive or opened.exclusive
        exclusive = exclusive or (group.exclusive and not apart(document, choices))
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


def apart(document: Document, flats: list[Flat]) -> bool:
    """Whether no value can satisfy two of them, as far as types, values and a discriminating property tell."""
    return all(_disjoint(document, one, other) for number, one in enumerate(flats) for other in flats[number + 1 :])


def _disjoint(document: Document, one: Flat, other: Flat) -> bool:
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
