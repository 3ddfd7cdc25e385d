"""A document with its references, and what its schemas are opened to: alternatives without unions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .addresses import pointed_at
from .gaps import Undecided
from .keywords import OLD_DRAFT, known_dialect
from .patterns import matches

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
_AMBIGUOUS, _NOTHING = object(), object()


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
    refuses: bool = False  # and there is something that fits two of them
    tag: str = ""  # a property that tells alternatives apart: each object among them has it, with its own values
    by_tag: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # canonical value -> places of alternatives


class Document:
    """A document and what was opened of it, by the schema's id. ``ignore``: see Reading."""

    def __init__(self, root: Any, ignore: str = "") -> None:
        self.root = root
        self.ignore = ignore
        self.alone = _hides_siblings(root)
        self._named: dict[str, Schema] | None = None
        self._both: dict[tuple[int, int], Schema] = {}
        self.opened: dict[int, tuple[Schema, Opened]] = {}  # the schema is kept, so that its id stays its own
        self.parts: dict[int, tuple[Schema, Opened]] = {}  # before their tags are looked for
        self.settled: dict[int, tuple[Schema, Opened]] = {}

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
        """Raises Undecided where it leads out of the document, or nowhere."""
        found, fragment = self._start(reference)
        if not fragment:
            return found
        if not fragment.startswith("/"):
            return self._anchored(reference, fragment)
        try:
            return pointed_at(found, fragment)
        except LookupError:
            raise Undecided(f"the reference {reference[:100]!r} leads nowhere") from None

    def _start(self, reference: str) -> tuple[Schema, str]:
        """The resource that the reference names, and the rest of it."""
        address, _, fragment = reference.partition("#")
        if not address or address == self._own_id():
            return self.root, fragment
        names = self._names()
        if address not in names:
            raise Undecided(f"the reference {reference[:100]!r} leads outside of the document")
        return names[address], fragment

    def _own_id(self) -> Any:
        return self.root.get("$id") if isinstance(self.root, Mapping) else None

    def _anchored(self, reference: str, name: str) -> Schema:
        names = self._names()
        if f"#{name}" not in names:
            raise Undecided(f"the reference {reference[:100]!r} leads nowhere")
        return names[f"#{name}"]

    def _names(self) -> Mapping[str, Schema]:
        """Schemas by their ``$id``, and by their ``$anchor`` with # before it. Those that two have name none."""
        if self._named is None:
            self._named = {}
            left: list[Any] = [self.root]
            while left:
                part = left.pop()
                if isinstance(part, Mapping):
                    for key, mark in (("$id", ""), ("$anchor", "#"), ("$dynamicAnchor", "#")):
                        if isinstance(part.get(key), str):
                            self._name(mark + part[key], part)
                left += part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
            self._named = {name: part for name, part in self._named.items() if part is not _AMBIGUOUS}
        return self._named

    def _name(self, name: str, part: Schema) -> None:
        assert self._named is not None  # noqa: S101
        self._named[name] = _AMBIGUOUS if name in self._named else part

    def leads_outside(self, reference: Any) -> bool:
        address = str(reference).partition("#")[0]
        return bool(address) and address != self._own_id() and address not in self._names()

    def constraints(self, schema: Mapping[str, Any]) -> set[str]:
        """Of ``constrains``, those that count beside a reference in this document. ``nullable`` always does: generators
        of 3.0 write it there and mean it.
        """
        found = constrains(schema)
        return found & {"nullable"} if self.alone and isinstance(schema.get("$ref"), str) else found

    def plain(self, schema: Schema) -> Schema:
        """Follows references that stand alone, as far as they lead into this document."""
        for _ in range(MAX_REFERENCES):
            if not (isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str)) or self.constraints(schema):
                return schema
            if self.leads_outside(schema["$ref"]):
                return schema
            schema = self.resolve(schema["$ref"])
        raise Undecided("a reference leads back to itself")

    def has(self, schema: Schema, key: str) -> bool:
        """Whether an annotation stands at the schema or at what it refers to."""
        return self.mark(schema, key, _NOTHING) is not _NOTHING

    def mark(self, schema: Schema, key: str, missing: Any = None) -> Any:
        """An annotation such as ``default``, of the schema or of what it refers to."""
        for _ in range(MAX_REFERENCES):
            if not isinstance(schema, Mapping):
                return missing
            if key in schema:
                return schema[key]
            parts = schema.get("allOf")
            if isinstance(schema.get("$ref"), str):
                try:
                    schema = self.resolve(schema["$ref"])
                except Undecided:  # said where the schemas are compared
                    return missing
            elif isinstance(parts, list) and len(parts) == 1:
                schema = parts[0]
            else:
                return missing
        return missing


def tag_name(schema: Schema) -> str:
    """The discriminating property; "" without one. AsyncAPI names it alone."""
    said = schema.get("discriminator") if isinstance(schema, Mapping) else None
    name = said.get("propertyName") if isinstance(said, Mapping) else said
    return name if isinstance(name, str) else ""


ANNOTATIONS = {
    "title", "description", "examples", "example", "default", "deprecated", "readOnly", "writeOnly", "$comment", "$id",
    "id", "$schema", "$anchor", "$defs", "definitions", "externalDocs", "xml", "discriminator", "$vocabulary",
}  # fmt: skip


def constrains(schema: Mapping[str, Any]) -> set[str]:
    """The keywords that decide what is accepted, without ``$ref``. A dialect of a stranger may decide anything."""
    found = {key for key in schema if key not in ANNOTATIONS and key != "$ref" and not key.startswith("x-")}
    return found | {"$schema"} if "$schema" in schema and not known_dialect(schema["$schema"]) else found


def _hides_siblings(root: Any) -> bool:
    """Up to draft 7, and in OpenAPI 3.0, what stands beside ``$ref`` is ignored (draft 7, 8.3; 3.0.3, 4.7.23)."""
    if not isinstance(root, Mapping):
        return False
    return str(root.get("openapi", "")).startswith("3.0") or bool(OLD_DRAFT.search(str(root.get("$schema", ""))))
