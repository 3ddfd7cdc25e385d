"""Whether two schemas accept the same because they say the same, annotations and the names of references aside."""

from collections.abc import Mapping
from typing import Any

from ..canonical import canonical
from .reading import Document, Schema, constrains

MAPS = {"properties", "patternProperties", "dependentSchemas"}
LISTS = {"allOf", "anyOf", "oneOf", "prefixItems"}
SINGLE = {
    "additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else", "unevaluatedProperties",
    "unevaluatedItems", "additionalItems", "contentSchema",
}  # fmt: skip
SETS = {"required", "enum", "type"}


class Sameness:
    def __init__(self, one: Document, other: Document) -> None:
        self._documents = one, other
        self._assumed: dict[tuple[int, int], tuple[Schema, Schema]] = {}  # the schemas are kept: ids stay theirs

    def __call__(self, one: Schema, other: Schema) -> bool:
        """May raise Undecided for a reference that leads nowhere."""
        same = self._same(one, other)
        if not same:
            self._assumed.clear()  # what was assumed on the way may be wrong
        return same

    def _same(self, one: Schema, other: Schema) -> bool:
        one, other = (self._marked(number, schema) for number, schema in enumerate((one, other)))
        if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
            return canonical(one) == canonical(other)
        pair = id(one), id(other)
        if pair in self._assumed:
            return True
        self._assumed[pair] = one, other
        keys = self._keys(one)
        if keys != self._keys(other):
            return False
        return all(self._same_keyword(key, one[key], other[key]) for key in keys)

    def _keys(self, schema: Mapping[str, Any]) -> set[str]:
        return constrains(schema) | ({"$ref"} & schema.keys())

    def _marked(self, number: int, schema: Schema) -> Schema:
        return self._documents[number].plain(schema)

    def _same_keyword(self, key: str, one: Any, other: Any) -> bool:
        if key == "$ref":
            return self._same(*(self._documents[n].resolve(ref) for n, ref in enumerate((one, other))))
        if key in MAPS and isinstance(one, Mapping) and isinstance(other, Mapping):
            return one.keys() == other.keys() and all(self._same_property(one[name], other[name]) for name in one)
        if key in LISTS | {"items"} and isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(map(self._same, one, other))
        if key in SINGLE:
            return self._same(one, other)
        if key in SETS and isinstance(one, list) and isinstance(other, list):
            return sorted(map(canonical, one)) == sorted(map(canonical, other))
        return canonical(one) == canonical(other)

    def _same_property(self, one: Schema, other: Schema) -> bool:
        marks = [
            [schema.get(mark, False) for mark in ("readOnly", "writeOnly")] if isinstance(schema, Mapping) else None
            for schema in (one, other)
        ]
        return marks[0] == marks[1] and self._same(one, other)
