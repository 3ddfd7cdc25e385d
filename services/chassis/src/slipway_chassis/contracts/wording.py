"""Gaps as findings: the rule's name, how bad it is, and a sentence with the cure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from .canonical import canonical
from .findings import Finding, Severity, pointer
from .schema import Code, Gap


class Direction(StrEnum):
    """What the new schema did: accept less than the old one, or allow more to be sent."""

    NARROWED = "narrowed"
    WIDENED = "widened"


# Of each code: what is said of a narrowed schema and its cure, then of a widened one.
WORDS: dict[Code, tuple[str, str, str, str]] = {
    Code.TYPE: (
        "was {before} and is now only {after}", "Keep accepting the former type",
        "may now be {after} and was only {before}", "Keep sending the former type",
    ),
    Code.ENUM: (
        "no longer accepts {before}, only {after}", "Keep the value",
        "may now be {after}; known were only {before}", "Send the new value under a new property or version",
    ),
    Code.BOUND: (
        "has a narrower bound: {before} became {after}", "Keep the former bound",
        "has a wider bound: {before} became {after}", "Keep the former bound",
    ),
    Code.MULTIPLE: (
        "must now be a multiple of {after} (before: {before})", "Keep the former step",
        "need no longer be a multiple of {before} (now: {after})", "Keep the former step",
    ),
    Code.LENGTH: (
        "has a narrower length: {before} became {after}", "Keep the former length",
        "has a wider length: {before} became {after}", "Keep the former length",
    ),
    Code.PATTERN: (
        "must match {after}, which can't be shown to accept all that {before} did", "Keep the former pattern",
        "need no longer match {before} (now: {after})", "Keep the former pattern",
    ),
    Code.FORMAT: (
        "must have the format {after} (before: {before})", "Keep the former format",
        "need no longer have the format {before} (now: {after})", "Keep the former format",
    ),
    Code.REQUIRED: (
        "is now required and was {before}", "Make it optional, with a default",
        "is no longer always there (it is {after})", "Keep sending it always",
    ),
    Code.CLOSED: (
        "is no longer accepted", "Keep accepting it",
        "is new where nothing further was allowed", "Allow further properties one version earlier",
    ),
    Code.UNDECLARED: (
        "is declared where anything was accepted before: older data may hold something else under this name",
        "Choose a name that was never used, or read the schema as LENIENT",
        "is no longer declared and may now hold anything", "Keep it declared",
    ),
    Code.SILENT: (
        "refuses undeclared properties, which nobody should have sent", "Tell those who call, or keep it open",
        "may now come with undeclared properties", "Close it again: additionalProperties false",
    ),
    Code.DROPPED: (
        "is no longer declared: what is sent there has no effect", "Keep it until nobody sends it",
        "is new", "Nothing needs to be done",
    ),
    Code.ADDED: (
        "is new and optional", "Nothing needs to be done",
        "is no longer declared: those who read it find nothing", "Keep sending it until nobody reads it",
    ),
    Code.PROPERTY_COUNT: (
        "has a narrower number of properties: {before} became {after}", "Keep the former number",
        "has a wider number of properties: {before} became {after}", "Keep the former number",
    ),
    Code.PROPERTY_NAMES: (
        "accepts fewer names of properties: {after}", "Keep the former names",
        "may now have other names of properties: {after}", "Keep the former names",
    ),
    Code.DEPENDENT: (
        "now requires {after} beside it (before: {before})", "Keep them optional",
        "no longer comes together with {before} (now: {after})", "Keep sending them together",
    ),
    Code.ITEM_COUNT: (
        "has a narrower number of items: {before} became {after}", "Keep the former number",
        "has a wider number of items: {before} became {after}", "Keep the former number",
    ),
    Code.UNIQUE: (
        "refuses items that are equal", "Accept equal items",
        "may now hold equal items", "Keep the items unique",
    ),
    Code.CONTAINS: (
        "must now contain {after}", "Drop the condition",
        "need no longer contain {before}", "Keep the condition",
    ),
    Code.UNION: (
        "no longer accepts {before}, only one of {after}", "Keep the alternative",
        "may now be {after}; known were only {before}", "Send the new alternative under a new version",
    ),
    Code.NOT: (
        "refuses {after}", "Keep accepting it",
        "may now be {before}, which was excluded", "Keep it excluded",
    ),
    Code.CONDITION: (
        "has a new condition: {after}", "Drop the condition",
        "no longer keeps the condition {before}", "Keep the condition",
    ),
    Code.FALSE: (
        "accepts nothing any more", "Keep accepting it",
        "may now be there, and never was", "Keep it out",
    ),
    Code.UNDECIDED: (
        "changed in a way that these rules can't judge: {before}", "Compare the two by hand",
        "changed in a way that these rules can't judge: {after}", "Compare the two by hand",
    ),
}  # fmt: skip

_MAJOR = " or publish the change as a new major version."
_SEVERITIES = {
    (Code.DROPPED, Direction.NARROWED): Severity.WARNING,
    (Code.DROPPED, Direction.WIDENED): Severity.SAFE,
    (Code.ADDED, Direction.NARROWED): Severity.SAFE,
    (Code.ADDED, Direction.WIDENED): Severity.WARNING,
    (Code.SILENT, Direction.NARROWED): Severity.WARNING,
    (Code.SILENT, Direction.WIDENED): Severity.WARNING,
    (Code.UNDECIDED, Direction.NARROWED): Severity.WARNING,
    (Code.UNDECIDED, Direction.WIDENED): Severity.WARNING,
}
# Nobody who reads an answer depends on its pattern; a registry of events does (Confluent: PATTERN_CHANGED).
_MILD = {("response", Code.PATTERN), ("header", Code.PATTERN)}
_WITHOUT_DIRECTION = {Code.SILENT, Code.DROPPED, Code.ADDED, Code.UNDECIDED}


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
    what, cure = words[:2] if direction is Direction.NARROWED else words[2:]
    severity = severity_of(scope, gap.code, direction)
    end = _MAJOR if severity is Severity.BREAKING else "."
    text = what.format(before=shortened(before), after=shortened(after))
    return Finding(
        rule=rule_of(scope, gap.code, direction),
        place=pointer(*place, *gap.path),
        before=before,
        after=after,
        severity=severity,
        sentence=f"{where}{for_people(gap.path)} {text}. {cure}{',' if end == _MAJOR else ''}{end}",
        undecided=gap.code is Code.UNDECIDED,
    )


def shortened(value: Any) -> str:
    """A value in a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return value if len(value) <= 100 else value[:97] + "..."  # noqa: PLR2004
    text = canonical(value)
    return text if len(text) <= 100 else text[:97] + "..."  # noqa: PLR2004


def for_people(path: tuple[str | int, ...]) -> str:
    """A path into a schema as one into its data.

    >>> for_people(("properties", "items", "items", "properties", "sku", "maxLength"))
    ': items[].sku'
    """
    text, tokens = "", list(path)
    while tokens:
        token = tokens.pop(0)
        if token in {"properties", "dependentRequired"} and tokens:
            text += f".{tokens.pop(0)}"
        elif token == "prefixItems" and tokens:  # noqa: S105 # no password
            text += f"[{tokens.pop(0)}]"
        elif token == "items":  # noqa: S105
            text += "[]"
        elif token in {"additionalProperties", "patternProperties"}:
            text += ".*"
            tokens = tokens[1:] if token == "patternProperties" else tokens  # noqa: S105
    return f": {text.removeprefix('.')}" if text else ""
