"""Whether two schemas accept the same because they say the same, annotations and the names of references aside."""

from collections.abc import Mapping
from typing import Any

from ..canonical import canonical
from .gaps import Undecided
from .reading import Document, Schema, tag_name
from .tags import tags_of

MAPS = {"properties", "patternProperties", "dependentSchemas"}
LISTS = {"allOf", "anyOf", "oneOf", "prefixItems"}
SINGLE = {
    "additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else", "unevaluatedProperties",
    "unevaluatedItems", "additionalItems", "contentSchema",
}  # fmt: skip
SETS = {"required", "enum", "type"}
MAX_DEPTH = 60
MAX_VISITS = 1_000_000  # after these nothing is known to be the same, and everything is compared


class Sameness:
    def __init__(self, one: Document, other: Document) -> None:
        self._documents = one, other
        self._assumed: dict[tuple[int, int], tuple[Schema, Schema]] = {}  # the schemas are kept: ids stay theirs
        self._different: dict[tuple[int, int], tuple[Schema, Schema]] = {}
        self._depth = 0
        self._visits = MAX_VISITS

    def __call__(self, one: Schema, other: Schema) -> bool:
        """May raise Undecided for a reference that leads nowhere, and for schemas that are nested too deep."""
        try:
            same = self._same(one, other)
        except Undecided:
            self._assumed.clear()
            raise
        if not same:
            self._assumed.clear()  # what was assumed on the way may be wrong
        return same

    def _same(self, one: Schema, other: Schema) -> bool:
        self._visits -= 1
        if self._visits < 0:
            return False
        one, other = (self._marked(number, schema) for number, schema in enumerate((one, other)))
        if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
            return canonical(one) == canonical(other)
        pair = id(one), id(other)
        if pair in self._assumed:
            return True
        if pair in self._different:
            return False
        self._assumed[pair] = one, other
        if self._depth >= MAX_DEPTH:
            raise Undecided(f"schemas nested more than {MAX_DEPTH} deep")
        self._depth += 1
        try:
            same = self._same_keywords(one, other)
        finally:
            self._depth -= 1
        if not same:  # whatever was assumed: assumptions only ever make more the same
            self._different[pair] = one, other
        return same

    def _same_keywords(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        keys = self._keys(0, one)
        if keys != self._keys(1, other) or not self._same_tags(one, other):
            return False
        return all(self._same_keyword(key, one[key], other[key]) for key in sorted(keys))

    def _keys(self, number: int, schema: Mapping[str, Any]) -> set[str]:
        return self._documents[number].constraints(schema) | ({"$ref"} & schema.keys())

    def _same_tags(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        if "discriminator" not in one and "discriminator" not in other:
            return True
        olds, news = (tags_of(document, part) for document, part in zip(self._documents, (one, other), strict=True))
        if tag_name(one) != tag_name(other) or olds.keys() != news.keys():
            return False
        return all(self._same(olds[value], news[value]) for value in olds)

    def _marked(self, number: int, schema: Schema) -> Schema:
        return self._documents[number].plain(schema)

    def _same_keyword(self, key: str, one: Any, other: Any) -> bool:
        if key in {"$ref", "$dynamicRef", "$recursiveRef"}:
            return self._same_reference(one, other)
        if key in MAPS and isinstance(one, Mapping) and isinstance(other, Mapping):
            return one.keys() == other.keys() and all(self._same_property(one[name], other[name]) for name in one)
        if key in LISTS | {"items"} and isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(map(self._same, one, other))
        if key in SINGLE:
            return self._same(one, other)
        if key in SETS and isinstance(one, list) and isinstance(other, list):
            return sorted(map(canonical, one)) == sorted(map(canonical, other))
        return canonical(one) == canonical(other)

    def _same_reference(self, one: Any, other: Any) -> bool:
        if not (isinstance(one, str) and isinstance(other, str)):
            return canonical(one) == canonical(other)
        outside = [document.leads_outside(ref) for document, ref in zip(self._documents, (one, other), strict=True)]
        if any(outside):  # nothing but its name is known of it
            return all(outside) and bool(one == other)
        return self._same(*(self._documents[n].resolve(ref) for n, ref in enumerate((one, other))))

    def _same_property(self, one: Schema, other: Schema) -> bool:
        marks = [
            [document.mark(schema, mark) is True for mark in ("readOnly", "writeOnly")]
            for document, schema in zip(self._documents, (one, other), strict=True)
        ]
        return marks[0] == marks[1] and self._same(one, other)
