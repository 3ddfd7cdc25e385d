"""Does ``target`` accept all that ``source`` accepts? Every reason against it is a Gap with its place.

The answer errs to one side. Where these rules can't follow (patterns, overlapping unions, ``not``, conditions),
there is a gap too: a schema with no gap accepts everything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..canonical import canonical
from . import objects, values
from .flattening import type_of
from .gaps import NOTICES, Code, Gap, Reading, Undecided
from .opening import disjoint, opened
from .reading import Document, Flat, Schema
from .sameness import Sameness

MAX_DEPTH = 60
MAX_STEPS = 100_000  # compared pairs: contracts come from elsewhere and must not hold up who asks


def gaps(source: Schema, target: Schema, source_root: Any, target_root: Any, reading: Reading) -> list[Gap]:
    """References lead into the roots: the whole documents."""
    documents = Document(source_root, reading.ignore), Document(target_root, reading.ignore)
    return Comparison(*documents, reading, [MAX_STEPS]).gaps(source, target)


class Comparison:
    def __init__(self, source: Document, target: Document, reading: Reading, steps: list[int]) -> None:
        self.source = source
        self.target = target
        self.reading = reading
        self._steps = steps
        self._same = Sameness(source, target)
        self._under_way: list[tuple[Schema, Schema]] = []

    def gaps(self, source: Schema, target: Schema) -> list[Gap]:
        if target is True or source is False:
            return []
        try:
            source, target = self.source.plain(source), self.target.plain(target)
            if self._same(source, target) or self._assumed(source, target):
                return []
            self._count()
            return self._opened(source, target)
        except Undecided as why:
            return [Gap(Code.UNDECIDED, (), str(why), None)]

    def accepts(self, source: Schema, target: Schema) -> bool:
        return not decisive(self.gaps(source, target))

    def turned(self) -> "Comparison":
        """The other way round, for what stands under ``not``."""
        return Comparison(self.target, self.source, self.reading, self._steps)

    def _assumed(self, source: Schema, target: Schema) -> bool:
        """A pair inside itself holds if the outer one does, whose gaps are being collected."""
        return any(source is one and target is other for one, other in self._under_way)

    def _count(self) -> None:
        self._steps[0] -= 1
        if self._steps[0] < 0 or len(self._under_way) > MAX_DEPTH:
            raise Undecided("the schemas are too large or too deep to be compared")

    def _opened(self, source: Schema, target: Schema) -> list[Gap]:
        self._under_way.append((source, target))
        try:
            accepted = opened(self.target, target)
            found: list[Gap] = []
            if accepted.exclusive and self.reading.exclusive:
                found.append(Gap(Code.UNDECIDED, (), "oneOf whose alternatives may overlap", None))
            for flat in opened(self.source, source).alternatives:
                found += [gap for gap in self._fits(flat, accepted.alternatives) if gap not in found]
            return found
        finally:
            self._under_way.pop()

    def _fits(self, flat: Flat, alternatives: tuple[Flat, ...]) -> list[Gap]:
        if not alternatives:
            return [Gap(Code.FALSE, (), shown(flat), False)]
        if len(alternatives) == 1:
            return self.flat_gaps(flat, alternatives[0])
        tried = [self.flat_gaps(flat, one) for one in alternatives]
        fitting = [found for found in tried if not decisive(found)]
        if fitting:
            return min(fitting, key=len)
        return [gap for piece in _pieces(flat) for gap in self._nearest(piece, alternatives)]

    def _nearest(self, piece: Flat, alternatives: tuple[Flat, ...]) -> list[Gap]:
        """The gaps to the alternative that was meant; or that there is none."""
        if not any(piece.types & one.types for one in alternatives):
            accepted = frozenset[str]().union(*(one.types for one in alternatives))
            return [Gap(Code.TYPE, (), type_names(piece.types), type_names(accepted))]
        tried = [self.flat_gaps(piece, one) for one in alternatives]
        if any(not decisive(found) for found in tried):
            return []
        for found, one in zip(tried, alternatives, strict=True):
            if one == piece and all(gap.code is Code.UNDECIDED for gap in decisive(found)):
                return found  # it is still there, so no other was meant, however near
        related = [
            found for found, one in zip(tried, alternatives, strict=True) if not disjoint(self.source, piece, one)
        ]
        if not related or (piece.values is not None and len(piece.values) == 1):
            code = Code.ENUM if piece.values is not None else Code.UNION
            return [Gap(code, (), shown(piece), [shown(one) for one in alternatives])]
        return min(related, key=lambda found: len(decisive(found)))

    def flat_gaps(self, source: Flat, target: Flat) -> list[Gap]:
        found = []
        if source.types - target.types:
            found.append(Gap(Code.TYPE, (), type_names(source.types), type_names(target.types)))
        if not source.types & target.types:
            return found
        if source.values is not None:
            return found + [gap for value in source.values.values() for gap in self._value_gaps(value, source, target)]
        if target.values is not None:
            return [*found, Gap(Code.ENUM, (), None, list(target.values.values()))]
        shared = source.types & target.types
        return [*found, *values.gaps(self, source, target, shared), *objects.gaps(self, source, target, shared),
                *self._rest(source, target)]  # fmt: skip

    def _value_gaps(self, value: Any, source: Flat, target: Flat) -> list[Gap]:
        if type_of(value) not in target.types:
            return []  # said already, as a type
        if target.values is not None and canonical(value) not in target.values:
            return [Gap(Code.ENUM, (), value, list(target.values.values()))]
        literal = replace(_literal(value), patterns=source.patterns, formats=source.formats)
        open_target = replace(target, values=None)
        if isinstance(value, list | dict):
            return self.flat_gaps(literal, open_target)
        found = values.scalar_gaps(value, literal, target)
        return found + self._rest(source, target)

    def _rest(self, source: Flat, target: Flat) -> list[Gap]:
        """What is understood only as far as it is the same, or narrower in the source."""
        found = [
            Gap(Code.NOT, ("not",), list(source.nots) or None, schema)
            for schema in target.nots
            if not self._excluded(source, schema)
        ]
        for name, schema in target.conditions.items():
            if name not in source.conditions:
                found.append(Gap(Code.CONDITION, (name,), None, schema))
            # What counts as evaluated depends on the rest of the schema, so the same text may mean something else.
            elif name.startswith("unevaluated") or not self._same(source.conditions[name], schema):
                found.append(Gap(Code.UNDECIDED, (name,), source.conditions[name], schema))
        return found

    def _excluded(self, source: Flat, schema: Schema) -> bool:
        """Whether nothing in the source satisfies the schema that the target excludes."""
        if any(self.turned().accepts(schema, known) for known in source.nots):
            return True
        return all(disjoint(self.target, source, flat) for flat in opened(self.target, schema).alternatives)


def decisive(found: list[Gap]) -> list[Gap]:
    return [gap for gap in found if gap.code not in NOTICES]


def _pieces(flat: Flat) -> Iterator[Flat]:
    """By value, else by type: different pieces may fit different alternatives."""
    if flat.values is not None:
        for text, value in flat.values.items():
            yield replace(flat, values={text: value}, types=frozenset({type_of(value)}))
    else:
        for name in sorted(flat.types):
            yield replace(flat, types=frozenset({name}))


def _literal(value: Any) -> Flat:
    """The schema of exactly this value."""
    if isinstance(value, Mapping):
        properties = {str(name): {"const": one} for name, one in value.items()}
        return Flat(
            types=frozenset({"object"}), properties=properties, required=frozenset(properties), additional=False,
            silent=False,
        )  # fmt: skip
    if isinstance(value, list):
        prefix = tuple({"const": one} for one in value)
        size = {"minItems": len(value), "maxItems": len(value)}
        return Flat(types=frozenset({"array"}), prefix=prefix, items=False, counts=size)
    return Flat(types=frozenset({type_of(value)}))


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
    if flat.values is not None:
        return list(flat.values.values())
    if flat.types == {"object"} and flat.properties:
        return {"type": "object", "properties": sorted(flat.properties)[:20]}
    return {"type": type_names(flat.types)}
