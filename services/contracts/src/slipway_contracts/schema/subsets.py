"""Does ``target`` accept all that ``source`` accepts? Every reason against it is a Gap with its place.

The answer errs to one side. Where these rules can't follow (patterns, overlapping unions, ``not``, conditions),
there is a gap too: a schema with no gap accepts everything.
"""

import json
import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import objects, values
from .flattening import literal_of, tidy, type_of
from .gaps import NOTICES, OPEN, Code, Gap, Reading, Undecided, most_telling
from .likeness import written_alike
from .opening import disjoint, opened, values_of
from .reading import ANYTHING, Document, Flat, Opened, Schema, tag_name
from .sameness import Sameness
from .settling import listed, parts, settled
from .shown import SHOWN_VALUES, cut, shown, type_names
from .tags import tags_of
from .texts import reread
from .witnesses import outside

MAX_DEPTH = 60
MAX_STEPS = 20_000  # compared pairs of two documents: they come from elsewhere and must not hold up who asks
SCALARS = frozenset({"integer", "fraction", "boolean", "string"})


def gaps(source: Schema, target: Schema, source_root: Any, target_root: Any, reading: Reading) -> list[Gap]:
    """References lead into the roots: the whole documents. A schema beside itself is gone through as a whole."""
    return Comparisons(thorough=source is target).between(source_root, target_root, reading).gaps(source, target)


class Comparisons:
    """Of the schemas of two documents: what was compared once is kept, and one budget holds for all. ``thorough``: what
    is the same is compared, too, as that shows whether the rules can work on it.
    """

    def __init__(self, *, thorough: bool = False) -> None:
        self._thorough = thorough
        self._steps = [MAX_STEPS]
        self._kept: dict[tuple[int, int, Reading], Comparison] = {}
        self._roots: list[Any] = []  # kept, so that their ids stay theirs

    def between(self, source_root: Any, target_root: Any, reading: Reading) -> "Comparison":
        key = id(source_root), id(target_root), reading
        if key not in self._kept:
            self._roots += [source_root, target_root]
            documents = Document(source_root, reading.ignore), Document(target_root, reading.ignore)
            self._kept[key] = Comparison(*documents, reading, self._steps, thorough=self._thorough)
        return self._kept[key]


@dataclass(slots=True)
class _Compared:
    """``pair`` is kept, so that ids stay theirs. ``rests_on``: how deep the pair lies that was assumed to hold."""

    pair: tuple[Schema, Schema]
    gaps: list[Gap]
    rests_on: float


class Comparison:
    def __init__(
        self, source: Document, target: Document, reading: Reading, steps: list[int], *, thorough: bool = False
    ) -> None:
        self._thorough = thorough
        self.source = source
        self.target = target
        self.reading = reading
        self._steps = steps
        self._same = Sameness(source, target)
        self._done: dict[tuple[int, int], _Compared] = {}
        self._tentative: list[tuple[int, int]] = []  # of those done, what rests on a pair that is not done yet
        self._under_way: dict[tuple[int, int], int] = {}
        self._rests_on = math.inf
        self._turned: Comparison | None = None

    def gaps(self, source: Schema, target: Schema) -> list[Gap]:
        """Of two equal pairs the second costs nothing; one inside itself holds if the outer one does."""
        if target is True or source is False:
            return []
        try:
            return self._gaps(self.source.plain(source), self.target.plain(target))
        except (Undecided, RecursionError) as why:
            if written_alike(self.source, source, self.target, target):
                return []
            reason = str(why) if isinstance(why, Undecided) else "schemas nested too deep"
            return [Gap(Code.UNDECIDED, (), reason, None)]

    def _gaps(self, source: Schema, target: Schema) -> list[Gap]:
        pair = id(source), id(target)
        done = self._done.get(pair)
        if done:
            self._rests_on = min(self._rests_on, done.rests_on)
            return done.gaps
        if pair in self._under_way:
            self._rests_on = min(self._rests_on, self._under_way[pair])
            return []
        if not self._thorough and self._same(source, target):
            return []
        self._count()
        return self._compared(pair, source, target)

    def accepts(self, source: Schema, target: Schema) -> bool:
        return not decisive(self.gaps(source, target))

    def turned(self) -> "Comparison":
        """The other way round, for what stands under ``not``."""
        if self._turned is None:
            self._turned = Comparison(self.target, self.source, self.reading, self._steps)
        return self._turned

    def _count(self) -> None:
        self._steps[0] -= 1
        if self._steps[0] < 0:
            raise Undecided("the schemas are too large to be compared")
        if len(self._under_way) > MAX_DEPTH:
            raise Undecided(f"schemas nested more than {MAX_DEPTH} deep")

    def _compared(self, pair: tuple[int, int], source: Schema, target: Schema) -> list[Gap]:
        depth, outer, since = len(self._under_way), self._rests_on, len(self._tentative)
        self._under_way[pair], self._rests_on = depth, math.inf
        try:
            found = most_telling([*self._tags(source, target), *self._opened(source, target)])
        finally:
            del self._under_way[pair]
            rests_on, self._rests_on = self._rests_on, min(outer, self._rests_on)
        if rests_on < depth:
            self._done[pair] = _Compared((source, target), found, rests_on)
            self._tentative.append(pair)
            return found
        self._rests_on = outer
        self._done[pair] = _Compared((source, target), found, math.inf)
        for other in self._tentative[since:]:  # what rested on this pair is known now
            if decisive(found):
                del self._done[other]
            else:
                self._done[other].rests_on = math.inf
        del self._tentative[since:]
        return found

    def _tags(self, source: Schema, target: Schema) -> list[Gap]:
        """By discriminators, where the alternatives themselves do not say their values."""
        if not (isinstance(source, Mapping) and isinstance(target, Mapping) and tag_name(target)):
            return []
        sent, taken = tags_of(self.source, source), tags_of(self.target, target)
        if not sent and not taken:
            return []
        if tag_name(source) != tag_name(target):
            known = tag_name(source) or None
            return [Gap(Code.ENUM, ("discriminator", "propertyName"), known, tag_name(target))]
        found = [
            Gap(Code.ENUM, ("discriminator", "mapping", value), value, sorted(taken))
            for value in sorted(sent.keys() - taken.keys())
        ]
        for value in sorted(sent.keys() & taken.keys()):
            found += self.gaps(sent[value], taken[value])
        return found

    def _opened(self, source: Schema, target: Schema) -> list[Gap]:
        """What differs is looked at again with all that follows from its keywords: the same may be said in two ways."""
        sent, accepted = opened(self.source, source).alternatives, opened(self.target, target)
        found = self._against(sent, accepted)
        if not decisive(found):
            return found
        quiet = not self.reading.undeclared
        again = [
            part
            for flat in settled(self.source, source).alternatives
            for part in parts(flat, quiet=flat.additional is False or (flat.silent and quiet))
        ]
        plain = settled(self.target, target)
        if plain is accepted and len(again) == len(sent) and all(map(operator.is_, again, sent)):
            return found
        self._count()
        second = self._against(again, plain)
        return found if decisive(second) else second

    def _against(self, sent: Iterable[Flat], accepted: Opened) -> list[Gap]:
        found: dict[tuple[Code, tuple[str | int, ...], str], Gap] = {}
        if accepted.exclusive and (self.reading.exclusive or accepted.refuses):
            found[Code.UNDECIDED, (), ""] = Gap(Code.UNDECIDED, (), "oneOf whose alternatives may overlap", None)
        for flat in sent:
            for gap in self._fits(flat, accepted):
                found.setdefault((gap.code, gap.path, repr(gap.wide)[:200]), gap)
        return list(found.values())

    def _fits(self, flat: Flat, accepted: Opened) -> list[Gap]:
        asked = _as_text(flat, accepted.alternatives) if self.reading.texts else flat
        if asked is None:
            return []
        if not accepted.alternatives:
            return [Gap(Code.FALSE, (), shown(asked), False)]
        if len(accepted.alternatives) == 1:
            return self.flat_gaps(asked, accepted.alternatives[0])
        alternatives = self._meant(asked, accepted)
        if not alternatives:
            return self._unknown_tag(asked, accepted)
        found = self._nearest_of(asked, alternatives)
        apart = self._by_value(asked, accepted) if decisive(found) else []
        return [gap for one in apart for gap in self._fits(one, accepted)] if apart else found

    def _by_value(self, flat: Flat, accepted: Opened) -> list[Flat]:
        """One for each value of the tag, where it has several: they may fit different alternatives."""
        tag = accepted.tag
        if not tag or flat.types != {"object"} or flat.values is not None or tag not in flat.required:
            return []
        values = values_of(self.source, flat.properties.get(tag, True)) or ()
        if not 1 < len(values) <= SHOWN_VALUES:
            return []
        constants = ({"const": json.loads(one)} for one in sorted(values))
        return [replace(flat, properties={**flat.properties, tag: one}) for one in constants]

    def _nearest_of(self, flat: Flat, alternatives: tuple[Flat, ...]) -> list[Gap]:
        tried = [self._flat_gaps_counted(flat, one) for one in alternatives]
        fitting = [found for found in tried if not decisive(found)]
        if fitting or len(alternatives) == 1:
            return min(fitting or tried, key=len)
        return [gap for piece in _pieces(flat) for gap in self._nearest(piece, alternatives)]

    def _unknown_tag(self, flat: Flat, accepted: Opened) -> list[Gap]:
        known = cut(json.loads(value) for value in accepted.by_tag)
        mine = values_of(self.source, flat.properties[accepted.tag]) or ()
        return [Gap(Code.ENUM, ("properties", accepted.tag), json.loads(value), known) for value in sorted(mine)]

    def _meant(self, flat: Flat, accepted: Opened) -> tuple[Flat, ...]:
        """The alternatives with a value of the tag that it has, where there is a tag; else all."""
        tag = accepted.tag
        if not tag or flat.types != {"object"} or tag not in flat.required or tag not in flat.properties:
            return accepted.alternatives
        values = values_of(self.source, flat.properties[tag])
        if not values or not self._only_tagged(accepted):
            return accepted.alternatives
        places = sorted({place for value in values for place in accepted.by_tag.get(value, ())})
        if places and not values <= accepted.by_tag.keys():
            return accepted.alternatives
        return tuple(accepted.alternatives[place] for place in places)

    @staticmethod
    def _only_tagged(accepted: Opened) -> bool:
        tagged = {place for places in accepted.by_tag.values() for place in places}
        rest = (one for place, one in enumerate(accepted.alternatives) if place not in tagged)
        return not any("object" in one.types for one in rest)

    def _flat_gaps_counted(self, flat: Flat, one: Flat) -> list[Gap]:
        self._count()
        return most_telling(self.flat_gaps(flat, one))

    def _nearest(self, piece: Flat, alternatives: tuple[Flat, ...]) -> list[Gap]:
        """The gaps to the alternative that was meant; or that there is none."""
        if not any(piece.types & one.types for one in alternatives):
            accepted = frozenset[str]().union(*(one.types for one in alternatives))
            return [Gap(Code.TYPE, (), type_names(piece.types), type_names(accepted))]
        tried = [self._flat_gaps_counted(piece, one) for one in alternatives]
        if any(not decisive(found) for found in tried):
            return []
        for found, one in zip(tried, alternatives, strict=True):
            if one == piece and all(gap.code in OPEN for gap in decisive(found)):
                return found  # it is still there, so no other was meant, however near
        related = [
            found for found, one in zip(tried, alternatives, strict=True) if not disjoint(self.source, piece, one)
        ]
        if not related or (piece.values is not None and len(piece.values) == 1):
            code = Code.ENUM if piece.values is not None else Code.UNION
            return [Gap(code, (), shown(piece), cut([shown(one) for one in alternatives]))]
        return min(related, key=lambda found: len(decisive(found)))

    def flat_gaps(self, source: Flat, target: Flat) -> list[Gap]:
        found = []
        if source.types - target.types:
            found.append(Gap(Code.TYPE, (), type_names(source.types), type_names(target.types)))
        if not source.types & target.types:
            return found
        if source.values is not None:
            return [*found, *self._values_gaps(source, target)]
        if target.values is not None:
            few = listed(source)
            return [*found, *(self._values_gaps(few, target) if few else _unlisted(source, target))]
        shared = source.types & target.types
        return [*found, *values.gaps(self, source, target, shared), *objects.gaps(self, source, target, shared),
                *self._rest(source, target)]  # fmt: skip

    def _values_gaps(self, source: Flat, target: Flat) -> list[Gap]:
        """One for all values that the target does not know."""
        assert source.values is not None  # noqa: S101
        known = source.values if target.values is None else target.values
        fitting = {text: value for text, value in source.values.items() if type_of(value) in target.types}
        unknown = [value for text, value in fitting.items() if text not in known]
        found = []
        if unknown:
            wide = unknown[0] if len(unknown) == 1 else cut(unknown)
            found.append(Gap(Code.ENUM, (), wide, cut(known.values())))
        asks = replace(target, values=None, types=ANYTHING) != _ANYTHING
        asked = len(target.patterns - source.patterns) + len(target.multiples)
        values.require_few(len(fitting), asked, "a listed value and a pattern or a step", most=values.MAX_LISTED)
        for text, value in fitting.items() if asks else ():
            if text in known:
                self._count()
                found += self._value_gaps(value, source, target)
        return most_telling(found)

    def _value_gaps(self, value: Any, source: Flat, target: Flat) -> list[Gap]:
        literal = replace(literal_of(value), patterns=source.patterns, formats=source.formats)
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
                closed = name == "unevaluatedProperties" and schema is False and self._declares_all(source, target)
                if closed or not self._held_anyway(source, name, schema):
                    found.append(Gap(Code.SILENT if closed else Code.CONDITION, (name,), None, schema))
            # What counts as evaluated depends on the rest of the schema, so the same text may mean something else.
            elif name.startswith("unevaluated") or not self._same_condition(name, source.conditions[name], schema):
                found.append(Gap(Code.UNDECIDED, (name,), source.conditions[name], schema))
        return found

    def _held_anyway(self, source: Flat, name: str, schema: Schema) -> bool:
        """Whatever the condition is, its branches ask for no more than the source promises."""
        if name == "if" and isinstance(schema, Mapping):
            branches = [schema[key] for key in ("then", "else") if key in schema]
        elif name.startswith("dependentSchemas/"):
            branches = [schema]
        else:
            return False
        self._count()
        return all(not decisive(self._fits(source, opened(self.target, one))) for one in branches)

    def _declares_all(self, source: Flat, target: Flat) -> bool:
        """Nothing is refused but what nobody should have sent."""
        quiet = source.additional is False or (source.silent and not self.reading.undeclared)
        return quiet and not source.pattern_properties and source.properties.keys() <= target.properties.keys()

    def _same_condition(self, name: str, source: Schema, target: Schema) -> bool:
        if name in {"$dynamicRef", "$recursiveRef"}:
            source, target = {name: source}, {name: target}
        return self._same(source, target)

    def _excluded(self, source: Flat, schema: Schema) -> bool:
        """Whether nothing in the source satisfies the schema that the target excludes."""
        if any(self.turned().accepts(schema, known) for known in source.nots):
            return True
        return all(disjoint(self.target, source, flat) for flat in opened(self.target, schema).alternatives)


def decisive(found: list[Gap]) -> list[Gap]:
    return [gap for gap in found if gap.code not in NOTICES]


_ANYTHING = Flat()


def _unlisted(source: Flat, target: Flat) -> list[Gap]:
    """Where the target lists values and the source does not. The texts of a pattern may be no more than those."""
    known = (target.values or {}).values()
    found = Gap(Code.ENUM, (), None, cut(known))
    if source.types != {"string"} or not source.patterns or source.formats or source.nots or source.conditions:
        return [found]
    if outside({one for one in known if isinstance(one, str)}, source.patterns, source.counts) is not None:
        return [found]
    return [Gap(Code.UNDECIDED, ("pattern",), "whether texts of the pattern are more than those that are listed", None)]


def _as_text(flat: Flat, alternatives: tuple[Flat, ...]) -> Flat | None:
    """What is left to be asked where any text is taken, as every number is one there; None: nothing."""
    flat = reread(flat, frozenset[str]().union(*(one.types for one in alternatives)))
    bare = replace(_ANYTHING, types=frozenset({"string"}))
    any_text = any(replace(one, types=one.types & {"string"}) == bare for one in alternatives)
    away = {"null"} | (SCALARS if any_text else frozenset())
    left = flat.types - away
    if left == flat.types or (not left and flat.types == {"null"}):
        return flat if left else None
    return tidy(replace(flat, types=left)) if left else None


def _pieces(flat: Flat) -> Iterator[Flat]:
    """By value, else by type: different pieces may fit different alternatives."""
    if flat.values is not None:
        for text, value in flat.values.items():
            yield replace(flat, values={text: value}, types=frozenset({type_of(value)}))
    else:
        for name in sorted(flat.types):
            piece = tidy(replace(flat, types=frozenset({name})))
            if piece:
                yield piece
