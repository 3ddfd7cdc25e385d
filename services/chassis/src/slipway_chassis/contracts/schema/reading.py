"""A document with its references, and what its schemas are opened to: alternatives without unions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

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
    """A document and what was opened of it, by the schema's id. ``ignore``: see Reading."""

    def __init__(self, root: Any, ignore: str = "") -> None:
        self.root = root
        self.ignore = ignore
        self._both: dict[tuple[int, int], Schema] = {}
        self.opened: dict[int, tuple[Schema, Opened]] = {}  # the schema is kept, so that its id stays its own

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


ANNOTATIONS = {
    "title", "description", "examples", "example", "default", "deprecated", "readOnly", "writeOnly", "$comment", "$id",
    "id", "$schema", "$anchor", "$defs", "definitions", "externalDocs", "xml", "discriminator", "$vocabulary",
}  # fmt: skip


def constrains(schema: Mapping[str, Any]) -> set[str]:
    """The keywords that decide what is accepted, without ``$ref``."""
    return {key for key in schema if key not in ANNOTATIONS and key != "$ref" and not key.startswith("x-")}
