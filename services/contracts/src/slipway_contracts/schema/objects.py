"""Gaps between objects: properties, what is required, and what may come undeclared."""

from collections.abc import Iterator, Mapping
from typing import Any

from .comparison import Comparison
from .gaps import NOTICES, Code, Gap
from .reading import Flat, Schema
from .values import counted_properties, require_few

ENOUGH = 1000  # gaps of one object, of which some are listed
_TEXT: Schema = {"type": "string"}


def gaps(comparison: Comparison, source: Flat, target: Flat, shared: frozenset[str]) -> list[Gap]:
    if "object" not in shared:
        return []
    _require_few(source, target)
    found = list(_required(comparison, source, target))
    for name in sorted({*source.properties, *target.properties}):
        found += _property(comparison, source, target, name)
        if len(found) > ENOUGH and sum(gap.code not in NOTICES for gap in found) > ENOUGH:
            return found
    found += counted_properties(source, target)
    found += _patterns(comparison, source, target)
    found += _additional(comparison, source, target)
    found += _names(comparison, source, target)
    found += _dependent(comparison, source, target)
    return found


def _require_few(source: Flat, target: Flat) -> None:
    """Each name is tried on each pattern, and compiling many of them takes its time."""
    patterns = len(source.pattern_properties) + len(target.pattern_properties)
    require_few(patterns, len({*source.properties, *target.properties}), "a property's name and a pattern")


def _required(comparison: Comparison, source: Flat, target: Flat) -> Iterator[Gap]:
    for name in sorted(target.required - source.required):
        if _may_be_missing(comparison, source, target, name):
            continue
        yield Gap(Code.REQUIRED, ("properties", name), "optional" if name in source.properties else None, "required")


def _may_be_missing(comparison: Comparison, source: Flat, target: Flat, name: str) -> bool:
    """Who reads it has the default; but not what was sent each time and is gone for good."""
    reading = comparison.reading
    if not reading.defaults or (reading.always_sent and not source.of(name)):
        return False
    return comparison.target.has(target.properties.get(name), "default")


def _property(comparison: Comparison, source: Flat, target: Flat, name: str) -> list[Gap]:
    sent, taken = source.of(name), target.of(name)
    if sent and taken:
        have, want = comparison.source.all(sent), comparison.target.all(taken)
        return [gap.under("properties", name) for gap in comparison.gaps(have, want)]
    if sent:
        return _dropped(comparison, source, target, name)
    return _added(comparison, source, target, name)


def _dropped(comparison: Comparison, source: Flat, target: Flat, name: str) -> list[Gap]:
    """The source declares it; in the target it falls under additionalProperties."""
    have = comparison.source.all(source.of(name))
    if target.additional is False:
        never = have is False or comparison.accepts(have, False)
        return [] if never else [Gap(Code.CLOSED, ("properties", name), have, None)]
    if target.additional is True:
        return [Gap(Code.DROPPED, ("properties", name), have, None)] if target.silent else []
    return [gap.under("properties", name) for gap in comparison.gaps(have, target.additional)]


def _added(comparison: Comparison, source: Flat, target: Flat, name: str) -> list[Gap]:
    """The target declares it; from the source it comes under additionalProperties, if at all."""
    want = comparison.target.all(target.of(name))
    if source.additional is False:
        return []
    if source.silent and not comparison.reading.undeclared:
        return [Gap(Code.ADDED, ("properties", name), None, want)]
    if comparison.accepts(source.additional, want):
        return []
    if source.additional is True:
        return [Gap(Code.UNDECLARED, ("properties", name), None, want)]
    return [gap.under("properties", name) for gap in comparison.gaps(source.additional, want)]


def _patterns(comparison: Comparison, source: Flat, target: Flat) -> list[Gap]:
    found: list[Gap] = []
    for pattern, want in target.pattern_properties.items():
        if pattern not in source.pattern_properties and not _quiet(comparison, source):
            have = source.additional
            found += [gap.under("patternProperties", pattern) for gap in comparison.gaps(have, want)]
    for pattern, have in source.pattern_properties.items():
        want = target.pattern_properties.get(pattern, target.additional)
        found += [gap.under("patternProperties", pattern) for gap in comparison.gaps(have, want)]
    strange = source.pattern_properties.keys() - target.pattern_properties.keys()
    if strange and (target.pattern_properties or target.properties.keys() - source.properties.keys()):
        found.append(Gap(Code.UNDECIDED, ("patternProperties",), sorted(strange), sorted(target.pattern_properties)))
    return found


def _quiet(comparison: Comparison, source: Flat) -> bool:
    """Nothing undeclared comes."""
    return source.additional is False or (source.silent and not comparison.reading.undeclared)


def _additional(comparison: Comparison, source: Flat, target: Flat) -> list[Gap]:
    place = "additionalProperties"
    if source.additional is False or target.additional is True:
        return []
    if source.silent and not comparison.reading.undeclared:
        return [Gap(Code.SILENT, (place,), None, target.additional)]
    if target.additional is False:
        return [Gap(Code.CLOSED, (place,), source.additional, False)]
    return [gap.under(place) for gap in comparison.gaps(source.additional, target.additional)]


def _names(comparison: Comparison, source: Flat, target: Flat) -> list[Gap]:
    """A name is a text, whether that is said or not (JSON Schema core 10.3.2.4)."""
    if target.names is True or comparison.accepts(comparison.source.both(_TEXT, source.names), target.names):
        return []
    if source.names is True and _quiet(comparison, source) and not source.pattern_properties:
        refused = [name for name in source.properties if not comparison.accepts({"const": name}, target.names)]
        return [Gap(Code.PROPERTY_NAMES, ("propertyNames",), refused, target.names)] if refused else []
    return [Gap(Code.PROPERTY_NAMES, ("propertyNames",), _said(source.names), target.names)]


def _dependent(comparison: Comparison, source: Flat, target: Flat) -> list[Gap]:
    found = []
    for name, wanted in target.dependent.items():
        missing = wanted - source.dependent.get(name, frozenset()) - source.required
        comes = bool(source.of(name)) or not _quiet(comparison, source)
        if missing and comes:
            known: Mapping[str, Any] = source.dependent
            found.append(Gap(Code.DEPENDENT, ("dependentRequired", name), sorted(known.get(name, ())), sorted(wanted)))
    return found


def _said(schema: Schema) -> Any:
    return None if schema is True else schema
