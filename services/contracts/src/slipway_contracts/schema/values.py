"""Gaps between numbers, strings and arrays."""

import math
from fractions import Fraction
from typing import Any

from .comparison import Comparison
from .flattening import item, tightest
from .gaps import Code, Gap, Undecided
from .opening import opened
from .patterns import matches
from .reading import Flat
from .witnesses import refused

NUMBERS = frozenset({"integer", "fraction"})
EVERY_TEXT = {"", ".*", "^.*$", "^", "$"}
# A format within others (RFC 3986, 3987, 6531, 5890; UUIDs and addresses as pydantic names them).
INSIDE = {
    "int8": {"int16", "int32", "int64"}, "int16": {"int32", "int64"}, "int32": {"int64"},
    "uint8": {"uint16", "uint32", "uint64", "int16", "int32", "int64"},
    "uint16": {"uint32", "uint64", "int32", "int64"}, "uint32": {"uint64", "int64"},
    "float": {"double"}, "email": {"idn-email"}, "hostname": {"idn-hostname"},
    "uri": {"uri-reference", "iri", "iri-reference"}, "iri": {"iri-reference"}, "uri-reference": {"iri-reference"},
    **{f"uuid{number}": {"uuid"} for number in range(1, 9)},
    "ipv4": {"ipvanyaddress"}, "ipv6": {"ipvanyaddress"}, "ipv4network": {"ipvanynetwork"},
    "ipv6network": {"ipvanynetwork"}, "file-path": {"path"}, "directory-path": {"path"},
}  # fmt: skip
# What whole numbers of a format are (OpenAPI format registry).
RANGES = {
    **{f"int{bits}": (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
    "double-int": (-(2**53 - 1), 2**53 - 1),
}
# The shortest text of a format (RFC 9562, 3339, 5321, 3986, 791).
SHORTEST = {
    "uuid": 36, **{f"uuid{number}": 36 for number in range(1, 9)}, "date": 10, "date-time": 20, "email": 3, "uri": 2,
    "ipv4": 7, "ipv6": 2, "hostname": 1,
}  # fmt: skip
MAX_TRIED, MAX_LISTED, MAX_PATTERNS = 20_000, 200_000, 1000  # of one pair of schemas
UNLIMITED = 10**9  # where no upper bound is given


def gaps(comparison: Comparison, source: Flat, target: Flat, shared: frozenset[str]) -> list[Gap]:
    require_few(len(source.multiples), len(target.multiples), "steps")
    require_few(len(source.patterns) + 1, len(target.patterns), "patterns", most=MAX_PATTERNS)
    found: list[Gap] = []
    if shared & NUMBERS:
        found += _number_gaps(source, target, whole="fraction" not in shared)
    if "string" in shared:
        shortest = max((SHORTEST.get(one, 0) for one in source.formats), default=0)
        found += _counted(source, target, "Length", Code.LENGTH, least=shortest)
        found += [_pattern_gap(source, pattern) for pattern in _new_patterns(source, target)]
    if shared & (NUMBERS | {"string"}):
        edges = _edges(source) if shared & (NUMBERS | {"string"}) == {"integer"} else (None, None)
        found += _format_gaps(source, target, *edges)
    if "array" in shared:
        found += _array_gaps(comparison, source, target)
    return found


def require_few(some: int, others: int, what: str, most: int = MAX_TRIED) -> None:
    """Each is tried on each. Raises Undecided where these are too many."""
    if some * others > most:
        raise Undecided(f"more than {most} pairs of {what}")


def _number_gaps(source: Flat, target: Flat, *, whole: bool) -> list[Gap]:
    found = []
    low, high = _edges(source)
    for name, have, want, sign in (("minimum", low, target.low, 1), ("maximum", high, target.high, -1)):
        if want is not None and (have is None or _tighter(want, have, sign, whole=whole)):
            found.append(Gap(Code.BOUND, (name,), _bound(have), _bound(want)))
    for multiple in target.multiples:
        steps = {Fraction(str(one)) for one in source.multiples} | ({Fraction(1)} if whole else set())
        if not any(step % Fraction(str(multiple)) == 0 for step in steps):
            found.append(Gap(Code.MULTIPLE, ("multipleOf",), _one(source.multiples), multiple))
    return found


def _edges(source: Flat) -> tuple[tuple[float, bool] | None, tuple[float, bool] | None]:
    """The bounds, and those of a format that is one of whole numbers."""
    known = [RANGES[one] for one in source.formats if one in RANGES]
    if not known or source.types & NUMBERS != {"integer"}:
        return source.low, source.high
    least, most = max(low for low, _ in known), min(high for _, high in known)
    lows = [(least, False), *([source.low] if source.low else [])]
    highs = [(most, False), *([source.high] if source.high else [])]
    return tightest(lows, upper=False), tightest(highs, upper=True)


def _tighter(one: tuple[float, bool], other: tuple[float, bool], sign: int, *, whole: bool) -> bool:
    first, second = (_edge(bound, sign, whole=whole) for bound in (one, other))
    return first > second


def _edge(bound: tuple[float, bool], sign: int, *, whole: bool) -> tuple[float, bool]:
    """Comparable; for whole numbers the first one that is accepted."""
    value, excluded = bound[0] * sign, bound[1]
    if whole:
        return (math.floor(value) + 1 if excluded else math.ceil(value)), False
    return value, excluded


def _bound(bound: tuple[float, bool] | None) -> Any:
    if bound is None:
        return None
    return f"{bound[0]} (excluded)" if bound[1] else bound[0]


def _counted(source: Flat, target: Flat, noun: str, code: Code, *, least: int = 0, most: int = UNLIMITED) -> list[Gap]:
    """``least`` and ``most`` follow from other keywords of the source."""
    found = []
    low, high = f"min{noun}", f"max{noun}"
    if target.counts.get(low, 0) > max(source.counts.get(low, 0), least):
        found.append(Gap(code, (low,), source.counts.get(low), target.counts[low]))
    if high in target.counts and target.counts[high] < min(source.counts.get(high, UNLIMITED), most):
        found.append(Gap(code, (high,), source.counts.get(high), target.counts[high]))
    return found


def _new_patterns(source: Flat, target: Flat) -> list[str]:
    return sorted(target.patterns - source.patterns - EVERY_TEXT)


def _pattern_gap(source: Flat, pattern: str) -> Gap:
    """A break where a text shows it; else nobody can tell."""
    before = _one(source.patterns)
    further = source.formats or source.nots or source.conditions  # then a text may be none that was accepted
    try:
        shown = None if further else refused(pattern, source.patterns, source.counts)
    except Undecided:
        shown = None
    return Gap(Code.PATTERN_UNDECIDED if shown is None else Code.PATTERN, ("pattern",), before, pattern)


def _format_gaps(
    source: Flat, target: Flat, low: tuple[float, bool] | None = None, high: tuple[float, bool] | None = None
) -> list[Gap]:
    """``low`` and ``high``: of whole numbers; what lies within a format's range needs no format to say so."""
    missing = {
        wanted
        for wanted in target.formats - source.formats
        if not any(wanted in INSIDE.get(known, ()) for known in source.formats) and not _in_range(wanted, low, high)
    }
    return [Gap(Code.FORMAT, ("format",), _one(source.formats), wanted) for wanted in sorted(missing)]


def _in_range(wanted: str, low: tuple[float, bool] | None, high: tuple[float, bool] | None) -> bool:
    if wanted not in RANGES or low is None or high is None:
        return False
    least, most = RANGES[wanted]
    return _edge(low, 1, whole=True)[0] >= least and _edge(high, -1, whole=True)[0] >= -most


def _array_gaps(comparison: Comparison, source: Flat, target: Flat) -> list[Gap]:
    longest = len(source.prefix) if source.items is False else UNLIMITED
    longest = min(longest, source.counts.get("maxItems", UNLIMITED), _different(comparison, source))
    contained = max((least for _, least, _ in source.contains), default=0)
    found = _counted(source, target, "Items", Code.ITEM_COUNT, least=contained, most=longest)
    if target.unique and not source.unique and longest > 1:
        found.append(Gap(Code.UNIQUE, ("uniqueItems",), None, True))
    places = max(len(source.prefix), len(target.prefix))
    for number in range(min(places, longest)):
        found += [
            gap.under("prefixItems", number) for gap in comparison.gaps(item(source, number), item(target, number))
        ]
    if longest > places:
        found += [gap.under("items") for gap in comparison.gaps(source.items, target.items)]
    return found + _contains_gaps(comparison, source, target)


def _different(comparison: Comparison, source: Flat) -> int:
    """How many items there can be where no two are equal."""
    if not source.unique or source.prefix or source.items is True:
        return UNLIMITED
    listed = [one.values for one in opened(comparison.source, source.items).alternatives]
    known = [one for one in listed if one is not None]
    return len({text for one in known for text in one}) if len(known) == len(listed) else UNLIMITED


def _all_items(comparison: Comparison, source: Flat, schema: Any) -> bool:
    """Whether each item fits the schema, wherever it stands."""
    return all(comparison.accepts(one, schema) for one in (*source.prefix, source.items))


def _contains_gaps(comparison: Comparison, source: Flat, target: Flat) -> list[Gap]:
    longest = source.counts.get("maxItems")

    def by_all(schema: Any, least: int, most: int | None) -> bool:
        enough = source.counts.get("minItems", 0) >= least > 0 or least == 0
        few = most is None or (longest is not None and longest <= most)
        return enough and few and _all_items(comparison, source, schema)

    def known(schema: Any, least: int, most: int | None) -> bool:
        for own, own_least, own_most in source.contains:
            at_least = own_least >= least and comparison.accepts(own, schema)
            at_most = most is None or (
                own_most is not None and own_most <= most and comparison.turned().accepts(schema, own)
            )
            if at_least and at_most:
                return True
        return (least == 0 and most is None) or by_all(schema, least, most)

    return [
        Gap(Code.CONTAINS, ("contains",), [one[0] for one in source.contains] or None, wanted[0])
        for wanted in target.contains
        if not known(*wanted)
    ]


def scalar_gaps(value: Any, source: Flat, target: Flat) -> list[Gap]:
    """Of one value; ``source`` has the patterns and formats it is known to satisfy."""
    if isinstance(value, str):
        return _text_gaps(value, source, target)
    if isinstance(value, bool) or value is None:
        return []
    exact = Flat(low=(value, False), high=(value, False), multiples=frozenset({value}) if value else frozenset())
    found = _number_gaps(exact, target if value else _without_multiples(target), whole=False)
    edges = (exact.low, exact.high) if value == int(value) else (None, None)
    return [Gap(gap.code, gap.path, value, gap.narrow) for gap in found] + _format_gaps(source, target, *edges)


def _without_multiples(flat: Flat) -> Flat:
    """Zero is a multiple of everything."""
    return Flat(low=flat.low, high=flat.high)


def _text_gaps(value: str, source: Flat, target: Flat) -> list[Gap]:
    sized = Flat(counts={"minLength": len(value), "maxLength": len(value)})
    found = [Gap(gap.code, gap.path, value, gap.narrow) for gap in _counted(sized, target, "Length", Code.LENGTH)]
    for pattern in _new_patterns(source, target):
        try:
            if not matches(pattern, value):
                found.append(Gap(Code.PATTERN, ("pattern",), value, pattern))
        except Undecided as why:
            found.append(Gap(Code.UNDECIDED, ("pattern",), str(why), None))
    return found + _format_gaps(source, target)


def counted_properties(source: Flat, target: Flat) -> list[Gap]:
    closed = source.additional is False and not source.pattern_properties
    most = len(source.properties) if closed else UNLIMITED
    return _counted(source, target, "Properties", Code.PROPERTY_COUNT, least=len(source.required), most=most)


def _one(known: frozenset[Any]) -> Any:
    found = sorted(known, key=str)
    return found[0] if len(found) == 1 else found or None
