"""Gaps as findings: the rule's name, how bad it is, and a sentence with place, before, after and the cure."""

from collections.abc import Callable, Iterable
from enum import StrEnum

from .findings import Finding, Severity, pointer
from .phrases import for_people, kinds, limit, phrase, reason, shortened
from .schema import Code, Gap
from .schema.gaps import OPEN


class Direction(StrEnum):
    """What the new schema did: accept less than the old one, or allow more to be sent."""

    NARROWED = "narrowed"
    WIDENED = "widened"


Said = Callable[[Gap], str]


def _fixed(text: str) -> Said:
    """``wide`` and ``narrow`` stand for the gap's two values."""
    return lambda gap: text.format(wide=shortened(gap.wide), narrow=shortened(gap.narrow))


def _with(absent: str, text: str) -> Said:
    """``absent`` is said where a value is not given."""
    return lambda gap: text.format(wide=phrase(gap.wide, absent), narrow=phrase(gap.narrow, absent))


def _types_lost(gap: Gap) -> str:
    return f"no longer accepts {kinds(gap.wide, besides=gap.narrow)}, only {kinds(gap.narrow)}"


def _types_new(gap: Gap) -> str:
    return f"may now be {kinds(gap.wide, besides=gap.narrow)} (was: {kinds(gap.narrow)})"


def _values_lost(gap: Gap) -> str:
    if gap.wide is None:
        return f"accepts only {shortened(gap.narrow)} now; before any value"
    return f"no longer accepts {shortened(gap.wide)}, only {shortened(gap.narrow)}"


def _values_new(gap: Gap) -> str:
    if gap.wide is None:
        return f"may now be any value (was: {shortened(gap.narrow)})"
    return f"may now be {shortened(gap.wide)} (was: {shortened(gap.narrow)})"


def _required(gap: Gap) -> str:
    return "is new and required" if gap.wide is None else f"is now required and was {gap.wide}"


def _missing(gap: Gap) -> str:
    return "is gone" if gap.wide is None else f"is no longer always there (it is {gap.wide})"


def _closed(gap: Gap) -> str:
    undeclared = gap.path[-1:] == ("additionalProperties",)
    return "no longer accepts undeclared properties" if undeclared else "is no longer accepted"


def _undecided(gap: Gap) -> str:
    return f"can't be judged: {reason(gap)}"


_KEEP_VALUE = "Send the new value under a new property or version"
# Of each code: what is said of a narrowed schema and its cure, then of a widened one.
WORDS: dict[Code, tuple[Said, str, Said, str]] = {
    Code.TYPE: (_types_lost, "Keep accepting the former type", _types_new, "Keep sending the former type"),
    Code.ENUM: (_values_lost, "Keep the value", _values_new, _KEEP_VALUE),
    **{
        code: (
            lambda gap: limit(gap.path, before=gap.wide, after=gap.narrow), f"Keep the former {what}",
            lambda gap: limit(gap.path, before=gap.narrow, after=gap.wide), f"Keep the former {what}",
        )
        for code, what in {
            Code.BOUND: "bound", Code.LENGTH: "length", Code.ITEM_COUNT: "number of items",
            Code.PROPERTY_COUNT: "number of properties",
        }.items()
    },
    Code.MULTIPLE: (
        _with("any number", "must now be a multiple of {narrow}; before {wide}"), "Keep the former step",
        _with("any number", "need no longer be a multiple of {narrow}, but {wide}"), "Keep the former step",
    ),
    Code.PATTERN: (
        _with("any text", "must now match {narrow}; before {wide}"), "Keep the former pattern",
        _with("any text", "need no longer match {narrow}, but {wide}"), "Keep the former pattern",
    ),
    Code.PATTERN_UNDECIDED: (
        _with("any text", "must now match {narrow}; before {wide}. Whether both accept the same can't be told"),
        "Keep the former pattern, or compare the two by hand",
        _with("any text", "matches {wide}; before {narrow}. Whether both accept the same can't be told"),
        "Keep the former pattern, or compare the two by hand",
    ),
    Code.FORMAT: (
        _with("any", "must now have the format {narrow}; before {wide}"), "Keep the former format",
        _with("any", "need no longer have the format {narrow}, but {wide}"), "Keep the former format",
    ),
    Code.REQUIRED: (_required, "Make it optional, with a default", _missing, "Keep sending it always"),
    Code.CLOSED: (
        _closed, "Keep accepting it",
        _fixed("is new where no further properties were allowed"), "Allow further properties one version earlier",
    ),
    Code.UNDECLARED: (
        _fixed("is declared where anything was accepted before: older data may hold something else under this name"),
        "Choose a name that was never used",
        _fixed("is no longer declared and may now hold anything"), "Keep it declared",
    ),
    Code.SILENT: (
        _fixed("refuses undeclared properties, which nobody should have sent"),
        "Tell those who call, or keep it open",
        _fixed("may now come with undeclared properties"), "Close it again: additionalProperties false",
    ),
    Code.DROPPED: (
        _fixed("is no longer declared: what is sent there has no effect"), "Keep it until nobody sends it",
        _fixed("is new"), "No cure is needed",
    ),
    Code.ADDED: (
        _fixed("is new and optional"), "No cure is needed",
        _fixed("is no longer declared: those who read it find no value"), "Keep sending it until nobody reads it",
    ),
    Code.PROPERTY_NAMES: (
        _with("any", "accepts fewer names of properties: {narrow}; before {wide}"), "Keep the former names",
        _with("any", "may now have other names of properties: {wide} (was: {narrow})"), "Keep the former names",
    ),
    Code.DEPENDENT: (
        _with("no others", "now requires {narrow} beside it; before {wide}"), "Keep them optional",
        _with("no others", "comes together with {wide}; before {narrow}"), "Keep sending them together",
    ),
    Code.UNIQUE: (
        _fixed("refuses items that are equal"), "Accept equal items",
        _fixed("may now hold equal items"), "Keep the items unique",
    ),
    Code.CONTAINS: (
        _fixed("must now contain {narrow}"), "Drop the condition",
        _fixed("need no longer contain {narrow}"), "Keep the condition",
    ),
    Code.UNION: (
        _fixed("no longer accepts {wide}, only one of {narrow}"), "Keep the alternative",
        _fixed("may now be {wide} (was one of: {narrow})"), "Send the new alternative under a new version",
    ),
    Code.NOT: (
        _fixed("refuses {narrow}"), "Keep accepting it",
        _fixed("may now be {narrow}, which was excluded"), "Keep it excluded",
    ),
    Code.CONDITION: (
        _fixed("has a new condition: {narrow}"), "Drop the condition",
        _fixed("no longer keeps the condition {narrow}"), "Keep the condition",
    ),
    Code.FALSE: (
        _fixed("accepts no value any more"), "Keep accepting it",
        _fixed("may now be there, and never was"), "Keep it out",
    ),
    Code.UNDECIDED: (_undecided, "Compare the two by hand", _undecided, "Compare the two by hand"),
}  # fmt: skip

_MAJOR = " or publish the change as a new major version."
_SEVERITIES = {
    (Code.DROPPED, Direction.NARROWED): Severity.WARNING,
    (Code.DROPPED, Direction.WIDENED): Severity.SAFE,
    (Code.ADDED, Direction.NARROWED): Severity.SAFE,
    (Code.ADDED, Direction.WIDENED): Severity.WARNING,
    (Code.SILENT, Direction.NARROWED): Severity.WARNING,
    (Code.SILENT, Direction.WIDENED): Severity.WARNING,
    **{(code, direction): Severity.WARNING for code in OPEN for direction in Direction},
}
# Nobody who reads an answer depends on its pattern; a registry of events does (Confluent: PATTERN_CHANGED).
_MILD = {(scope, code) for scope in ("response", "header") for code in (Code.PATTERN, Code.PATTERN_UNDECIDED)}
_WITHOUT_DIRECTION = {Code.SILENT, Code.DROPPED, Code.ADDED, Code.UNDECIDED, Code.PATTERN_UNDECIDED}


def rule_of(scope: str, code: Code, direction: Direction) -> str:
    if direction is Direction.WIDENED:  # source and target are new and old there
        code = {Code.DROPPED: Code.ADDED, Code.ADDED: Code.DROPPED}.get(code, code)
    return f"{scope}-{code}" if code in _WITHOUT_DIRECTION else f"{scope}-{code}-{direction}"


def severity_of(scope: str, code: Code, direction: Direction) -> Severity:
    if (scope, code) in _MILD:
        return Severity.WARNING
    return _SEVERITIES.get((code, direction), Severity.BREAKING)


def findings_of(
    gaps: Iterable[Gap], *, scope: str, direction: Direction, where: str, place: tuple[str | int, ...]
) -> list[Finding]:
    """``scope`` begins the rule's name: request, parameter, response, header or event. ``where`` is for people."""
    return [_finding(gap, scope, direction, where, place) for gap in gaps]


def _finding(gap: Gap, scope: str, direction: Direction, where: str, place: tuple[str | int, ...]) -> Finding:
    before, after = (gap.wide, gap.narrow) if direction is Direction.NARROWED else (gap.narrow, gap.wide)
    words = WORDS[gap.code]
    say, cure = words[:2] if direction is Direction.NARROWED else words[2:]
    severity = severity_of(scope, gap.code, direction)
    end = _MAJOR if severity is Severity.BREAKING else "."
    return Finding(
        rule=rule_of(scope, gap.code, direction),
        place=pointer(*place, *gap.path),
        before=before,
        after=after,
        severity=severity,
        sentence=f"{where}{for_people(gap.path)} {say(gap)}. {cure}{',' if end == _MAJOR else ''}{end}",
        undecided=gap.code in OPEN and (scope, gap.code) not in _MILD,
    )
