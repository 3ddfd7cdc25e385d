"""What follows from the keywords of an alternative, written down: so two ways of saying the same look the same.

A text that its own length forbids is no value; bounds that cross leave nothing; ``not: {const: ""}`` is a length.
Nothing here changes what is accepted. What can't be followed is left as it was written.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..canonical import canonical
from .flattening import tidy
from .gaps import OPEN, Undecided
from .opening import opened, tagged
from .reading import ANYTHING, FINITE, Document, Flat, Opened, Schema
from .values import NUMBERS, UNLIMITED, scalar_gaps

MOST_VALUES = 100  # that a range is written down as
MOST_PARTS = 20  # that an object with a number of properties is taken apart in
MOST_EXCLUDED = 20  # alternatives of one ``not``
_ANYTHING = Flat()


def settled(document: Document, schema: Schema) -> Opened:
    """What ``opened`` gives where nothing follows. Each is settled once."""
    kept = document.settled.get(id(schema))
    if kept is None:
        kept = schema, _settled(document, opened(document, schema))
        document.settled[id(schema)] = kept
    return kept[1]


def _settled(document: Document, found: Opened) -> Opened:
    after = [_followed(document, flat) for flat in found.alternatives]
    if all(one is other for one, other in zip(found.alternatives, after, strict=True)):
        return found
    left = tuple(flat for flat in after if flat is not None)
    return tagged(document, replace(found, alternatives=left, tag="", by_tag={}))


def _followed(document: Document, flat: Flat) -> Flat | None:
    """None: nothing satisfies it. The same object where nothing follows."""
    steps: tuple[Callable[[Document, Flat], Flat], ...] = (
        _without_not, _with_names, _with_dependents, _without_crossing, _with_own_values,
    )  # fmt: skip
    if any(name.startswith("unevaluated") for name in flat.conditions):
        return flat  # what counts as evaluated depends on how the rest is written
    now = flat
    try:
        for step in steps:
            tidied = tidy(step(document, now))
            if tidied is None:
                return None
            now = tidied
    except Undecided:  # a pattern or reference of a part: the whole is compared as it was written
        return flat
    return flat if now == flat else now


# --- not
def _without_not(document: Document, flat: Flat) -> Flat:
    """What is excluded by type, by value or by a property's name needs no ``not``."""
    left = []
    for schema in flat.nots:
        excluded = settled(document, schema)
        known = not excluded.exclusive and len(excluded.alternatives) <= MOST_EXCLUDED
        for one in excluded.alternatives if known else ():
            less = _less(flat, one)
            known = known and less is not None
            flat = flat if less is None else less
        if not known:
            left.append(schema)
    return replace(flat, nots=tuple(left)) if len(left) < len(flat.nots) else flat


def _less(flat: Flat, excluded: Flat) -> Flat | None:
    """What is left of it; None: that can't be said without ``not``."""
    if not flat.types & excluded.types:
        return flat
    if _plain(excluded) == _ANYTHING:
        if excluded.values is None:
            return replace(flat, types=flat.types - excluded.types)
        return _without_values(flat, excluded.values)
    if len(excluded.required) == 1 and _plain(replace(excluded, required=frozenset())) == _ANYTHING:
        return _without_property(flat, next(iter(excluded.required)), excluded)
    return None


def _plain(flat: Flat) -> Flat:
    return replace(flat, types=ANYTHING, values=None)


def _without_values(flat: Flat, excluded: Mapping[str, Any]) -> Flat | None:
    if flat.values is not None:
        return replace(flat, values={text: one for text, one in flat.values.items() if text not in excluded})
    whole = {name for name, every in FINITE.items() if all(canonical(one) in excluded for one in every)}
    rest = {text for text, one in excluded.items() if not (isinstance(one, bool) or one is None)}
    if rest - {'""'} or len(excluded) - len(rest) != sum(len(FINITE[name]) for name in whole):
        return None
    flat = replace(flat, types=flat.types - whole)
    if not rest:
        return flat
    return replace(flat, counts={**flat.counts, "minLength": max(1, flat.counts.get("minLength", 0))})


def _without_property(flat: Flat, name: str, excluded: Flat) -> Flat | None:
    """``required`` is satisfied by all that is no object."""
    if excluded.values is not None or "object" not in excluded.types or flat.values is not None:
        return None
    return replace(flat, types=flat.types - (excluded.types - {"object"}), properties={**flat.properties, name: False})


# --- objects
def _with_names(document: Document, flat: Flat) -> Flat:
    """Names that are listed, or have a pattern, are declared so."""
    if not isinstance(flat.names, Mapping) or flat.pattern_properties:
        return flat
    of_names = opened(document, flat.names)
    if len(of_names.alternatives) != 1 or of_names.exclusive:
        return flat
    [names] = of_names.alternatives
    closed = replace(flat, names=True, additional=False, silent=False)
    if names.values is not None and _plain(names) == _ANYTHING:
        listed = [name for name in names.values.values() if isinstance(name, str)]
        known = [name for name in listed if name in flat.properties or flat.additional is not False]
        return replace(closed, properties={name: flat.properties.get(name, flat.additional) for name in known})
    if len(names.patterns) != 1 or "string" not in names.types or flat.properties or flat.additional is False:
        return flat
    if _plain(replace(names, patterns=frozenset())) != _ANYTHING or names.values is not None:
        return flat
    return replace(closed, pattern_properties=dict.fromkeys(names.patterns, flat.additional))


def _with_dependents(document: Document, flat: Flat) -> Flat:
    """What a required property asks for is required; a schema that requires and says no more is a list of names."""
    dependent, conditions = dict(flat.dependent), dict(flat.conditions)
    for key, schema in flat.conditions.items():
        name = key.removeprefix("dependentSchemas/")
        wanted = _required_alone(document, schema) if name != key else None
        if wanted is not None:
            dependent[name] = dependent.get(name, frozenset()) | wanted
            del conditions[key]
    if not dependent:
        return flat
    required, left = set(flat.required), [name for name in flat.required if name in dependent]
    while left:
        new = dependent.pop(left.pop(), frozenset()) - required
        required |= new
        left += [name for name in new if name in dependent]
    return replace(flat, required=frozenset(required), dependent=dependent, conditions=conditions)


def _required_alone(document: Document, schema: Schema) -> frozenset[str] | None:
    found = opened(document, schema)
    if len(found.alternatives) != 1 or found.exclusive:
        return None
    [only] = found.alternatives
    plain = replace(only, types=ANYTHING, required=frozenset()) == _ANYTHING
    return only.required if plain and "object" in only.types else None


# --- nothing is left
def _without_crossing(document: Document, flat: Flat) -> Flat:
    """Without the types for which nothing satisfies all keywords."""
    gone = set(_numberless(flat))
    counts = [flat.counts.get(name) for name in ("minLength", "maxLength")]
    if counts[0] is not None and counts[1] is not None and counts[0] > counts[1]:
        gone.add("string")
    if flat.counts.get("minItems", 0) > min(_longest(flat), flat.counts.get("maxItems", UNLIMITED)):
        gone.add("array")
    if "object" in flat.types and _no_object(document, flat):
        gone.add("object")
    return replace(flat, types=flat.types - gone) if gone & flat.types else flat


def _numberless(flat: Flat) -> Iterator[str]:
    if flat.low is None or flat.high is None:
        return
    (low, low_excluded), (high, high_excluded) = flat.low, flat.high
    if low > high or (low == high and (low_excluded or high_excluded)):
        yield from NUMBERS
        return
    first, last = _whole(flat)
    if first > last:
        yield "integer"
    if low == high == first:
        yield "fraction"


def _whole(flat: Flat) -> tuple[int, int]:
    """The first and the last whole number between two bounds, which must be there."""
    assert flat.low is not None  # noqa: S101
    assert flat.high is not None  # noqa: S101
    low, high = flat.low, flat.high
    first = math.floor(low[0]) + 1 if low[1] else math.ceil(low[0])
    return first, (math.ceil(high[0]) - 1 if high[1] else math.floor(high[0]))


def _longest(flat: Flat) -> int:
    return len(flat.prefix) if flat.items is False else UNLIMITED


def _no_object(document: Document, flat: Flat) -> bool:
    """A property that must be there and can't be, or more of them than there may be."""
    most = flat.counts.get("maxProperties", UNLIMITED)
    if len(flat.required) > most or flat.counts.get("minProperties", 0) > most:
        return True
    return any(not _possible(document, flat, name) for name in flat.required)


def _possible(document: Document, flat: Flat, name: str) -> bool:
    """Whether the property may be there, as far as ``false`` and what is closed tell."""
    said = [flat.properties[name]] if name in flat.properties else []
    if flat.pattern_properties:
        said = flat.of(name)
    schemas = said or [flat.additional]
    return not any(one is False or (isinstance(one, Mapping) and _false(document, one)) for one in schemas)


def _false(document: Document, schema: Mapping[str, Any]) -> bool:
    found = document.plain(schema)
    return found is False or (isinstance(found, Mapping) and dict(found) in ({"not": True}, {"not": {}}))


# --- values
def _with_own_values(_: Document, flat: Flat) -> Flat:
    """Values that the schema's own keywords exclude are none of it."""
    if flat.values is None or _plain(flat) == _ANYTHING:
        return flat
    known = Flat(formats=flat.formats)
    values = {text: one for text, one in flat.values.items() if _fits(one, known, flat)}
    return replace(flat, values=values) if len(values) < len(flat.values) else flat


def _fits(value: Any, known: Flat, flat: Flat) -> bool:
    if isinstance(value, list):
        return flat.counts.get("minItems", 0) <= len(value) <= flat.counts.get("maxItems", UNLIMITED)
    if isinstance(value, Mapping):
        fewest, most = flat.counts.get("minProperties", 0), flat.counts.get("maxProperties", UNLIMITED)
        return fewest <= len(value) <= most and flat.required <= value.keys()
    return all(gap.code in OPEN for gap in scalar_gaps(value, known, flat))


def listed(flat: Flat) -> Flat | None:
    """As a list of values, where there are few; None: there are more, or nobody can tell."""
    values: list[Any] = []
    for name in sorted(flat.types):
        of_type = _values(name, flat)
        if of_type is None or len(values) + len(of_type) > MOST_VALUES:
            return None
        values += of_type
    rest = replace(Flat(), patterns=flat.patterns, formats=flat.formats, nots=flat.nots, conditions=flat.conditions)
    return tidy(replace(rest, types=flat.types, values={canonical(one): one for one in values}))


def _values(name: str, flat: Flat) -> list[Any] | None:
    if name in FINITE:
        return list(FINITE[name])
    if name == "integer" and flat.low is not None and flat.high is not None:
        first, last = _whole(flat)
        return _steps(range(first, last + 1), flat) if last - first < MOST_VALUES else None
    if name == "string" and flat.counts.get("maxLength") == 0:
        return [""]
    if name == "array" and min(_longest(flat), flat.counts.get("maxItems", UNLIMITED)) == 0:
        return [[]]
    closed = flat.additional is False and not flat.properties and not flat.pattern_properties
    if name == "object" and (closed or flat.counts.get("maxProperties") == 0):
        return [{}]
    return None


def _steps(numbers: range, flat: Flat) -> list[int]:
    stepped = Flat(multiples=flat.multiples)
    return [one for one in numbers if not scalar_gaps(one, Flat(), stepped)]


# --- parts
def parts(flat: Flat, *, quiet: bool) -> list[Flat]:
    """An object that must have one more property than is required, as one object for each that it may be. ``quiet``:
    what it does not declare does not come.
    """
    optional = sorted(name for name, schema in flat.properties.items() if schema is not False)
    optional = [name for name in optional if name not in flat.required]
    missing = flat.counts.get("minProperties", 0) - len(flat.required)
    apart = quiet and flat.types == {"object"} and flat.values is None and not flat.pattern_properties
    if not apart or not 0 < len(optional) <= MOST_PARTS or missing <= 0:
        return [flat]
    if missing == len(optional):
        return [replace(flat, required=flat.required | set(optional))]
    return [replace(flat, required=flat.required | {name}) for name in optional] if missing == 1 else [flat]
