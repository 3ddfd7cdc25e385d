"""What a comparison says: findings, by the rule that was broken and the place where."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_FINDINGS = 100  # of two documents
MAX_SENTENCE, MAX_PLACE = 1500, 1000  # characters


class Severity(StrEnum):
    BREAKING = "breaking"  # somebody who kept to the old contract fails
    WARNING = "warning"  # somebody may fail, or it can't be decided
    SAFE = "safe"  # nobody fails; said for the changelog


class Kind(StrEnum):
    OPENAPI = "openapi"
    EVENT = "event"
    ASYNCAPI = "asyncapi"
    PROTOBUF = "protobuf"


class Mode(StrEnum):
    """Who must understand whom: Confluent's names, and their meaning."""

    BACKWARD = "backward"  # the new schema reads what was written with the old one
    FORWARD = "forward"  # the old schema reads what is written with the new one
    FULL = "full"  # both


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One change, judged.

    Attributes:
        rule: its name in the table of docs/contracts.md.
        place: where, as a JSON pointer into the document, or a full name in protobuf.
        before: what stood there in the old contract, None for nothing.
        after: what stands there in the new one.
        sentence: what happened, to whom it matters, and the cure.
        undecided: the rules can't tell whether this breaks anybody: a person must.
    """

    rule: str
    place: str
    before: Any
    after: Any
    severity: Severity
    sentence: str
    undecided: bool = False

    def __post_init__(self) -> None:
        """Names and values in them are a stranger's: cut, and without what a terminal takes for a command."""
        for name, most in (("sentence", MAX_SENTENCE), ("place", MAX_PLACE)):
            object.__setattr__(self, name, readable(getattr(self, name), most))

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "rule": self.rule,
            "place": self.place,
            "before": self.before,
            "after": self.after,
            "severity": str(self.severity),
            "undecided": self.undecided,
            "sentence": self.sentence,
        }


def readable(text: str, most: int) -> str:
    r"""On one line, with letters that are seen; what is longer loses its middle.

    >>> print(readable("GET /v1/" + chr(27) + "[2J", 80))
    GET /v1/\x1b[2J
    >>> readable("0123456789", 6)
    '012…89'
    """
    if len(text) > most:
        text = f"{text[: most // 2]}…{text[len(text) - most // 2 + 1 :]}"
    return text if text.isprintable() else "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def listed(findings: list[Finding]) -> list[Finding]:
    """At most MAX_FINDINGS: what breaks first, then what is undecided; the last one says how many were left out."""
    if len(findings) <= MAX_FINDINGS:
        return findings
    ranks = {Severity.BREAKING: 0, Severity.WARNING: 2, Severity.SAFE: 3}
    ordered = sorted(findings, key=lambda one: min(ranks[one.severity], 1 if one.undecided else 3))
    kept, rest = ordered[: MAX_FINDINGS - 1], ordered[MAX_FINDINGS - 1 :]
    worst = rest[0]
    return [
        *kept,
        Finding(
            rule="further-findings", place="", before=None, after=None, severity=worst.severity,
            sentence=f"And {len(rest)} more findings, which are not listed.", undecided=worst.undecided,
        ),
    ]  # fmt: skip


def breaking(findings: Iterable[Finding]) -> list[Finding]:
    return [one for one in findings if one.severity is Severity.BREAKING]


def pointer(*tokens: str | int) -> str:
    """RFC 6901.

    >>> pointer("paths", "/v1/orders", "get")
    '/paths/~1v1~1orders/get'
    """
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
