"""Lines of many logs as one story: read, chosen, and found by what they are about. Pure.

A line about an order has the order's id; others of the same request have its request id or its trace alone. So
``About`` takes the ids of the lines that have the word, and with them all lines of these requests and traces.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LEVELS = ("debug", "info", "warning", "error", "critical")
LONGEST_LINE = 64 * 1024  # characters; the rest of a line is left out
SHORTEST_WORD = 4  # a shorter one is part of everything
MOST_IDS = 10_000  # requests and traces that are followed
STACK = "    "  # before each line of where an error came from: no other line begins so
_IDS = ("trace.id", "http.request.id")
_NO_LEVEL = "info"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``at``: when it was written, or the line before it where it does not say; ``fields``: empty where it is
    no JSON object.
    """

    at: datetime
    source: str
    text: str
    fields: dict[str, Any]

    @property
    def level(self) -> str:
        """One of LEVELS; ``info`` where it says none."""
        said = str(self.fields.get("log.level", _NO_LEVEL)).lower()
        return said if said in LEVELS else _NO_LEVEL

    @property
    def service(self) -> str:
        """The service that says it, or the file's name."""
        return str(self.fields.get("service.name") or self.source)

    @property
    def ids(self) -> set[str]:
        """Of the request and the trace it belongs to."""
        return {value for name in _IDS if isinstance(value := self.fields.get(name), str) and value}

    def for_people(self) -> str:
        """Time, who, level and words; then whose trace, and where an error came from."""
        if not self.fields:
            return f"{_time(self.at)}  {self.source:<22} {'':<8} {harmless(self.text)}"
        who = f"{self.service} {self.fields.get('process.title', '')}".strip()
        version = self.fields.get("service.version")
        who += f" {version}" if version else ""
        trace = str(self.fields.get("trace.id") or "")
        said = f"{_time(self.at)}  {harmless(who):<22} {self.level:<8} {harmless(self.fields.get('message', ''))}"
        said += f"  trace={harmless(trace[:8])}" if trace else ""
        stack = str(self.fields.get("error.stack_trace") or "").splitlines()
        return "\n".join([said, *(f"{STACK}{harmless(line)}" for line in stack)])


def harmless(text: object) -> str:
    """One line for a terminal: what would steer it, begin another line, or has no bytes in UTF-8 is a space."""
    return "".join(one if one.isprintable() else " " for one in str(text))


def _time(at: datetime) -> str:
    return at.astimezone().strftime("%H:%M:%S.%f")[:-3] if at > _EVER else " " * 12


# Times of others, in UTC: so near to the ends of the calendar no time zone can be asked.
_EVER, _LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)


def _in_utc(at: datetime) -> datetime | None:
    try:
        found = at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if _EVER < found < _LAST else None


def lines_of(source: str, texts: Iterable[str]) -> Iterator[Line]:
    """The lines of one log, in their order."""
    at = _EVER
    for text in texts:
        shown = text.rstrip("\r\n")[:LONGEST_LINE]
        if not shown:
            continue
        fields = _fields(shown)
        at = (_written_at(fields) if fields else _begins_with(shown)) or at
        yield Line(at, source, shown, fields)


def _fields(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _written_at(fields: dict[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(fields.get("@timestamp")))
    except ValueError:
        return None
    return _in_utc(at if at.tzinfo else at.replace(tzinfo=UTC))


# As Kafka and PostgreSQL begin their lines: [2026-01-31 12:00:00,123] and 2026-01-31 12:00:00.123 UTC
_BEGINNING = re.compile(r"\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)[.,](\d{3})( UTC)?")


def _begins_with(text: str) -> datetime | None:
    found = _BEGINNING.match(text)
    if not found:
        return None
    try:
        at = datetime.fromisoformat(f"{found[1]}.{found[2]}")
    except ValueError:
        return None
    return _in_utc(at.replace(tzinfo=UTC) if found[3] else at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which lines are shown: of these services (none: all), at least this severe, and not before."""

    services: Sequence[str] = ()
    level: str = LEVELS[0]
    since: datetime | None = None

    def takes(self, line: Line) -> bool:
        """Whether the line is one of them."""
        if self.services and not any(
            name in {line.service, line.source} or line.source.startswith(f"{name}-") for name in self.services
        ):
            return False
        if LEVELS.index(line.level) < LEVELS.index(self.level):
            return False
        return self.since is None or line.at >= self.since


class About:
    """Lines of requests and traces in which a word stands: an id of a request, a trace, an event or an aggregate."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._ids: set[str] = set()

    def learn(self, lines: Iterable[Line]) -> None:
        """Takes the ids of lines that have the word; a second time those of lines that share one: Envoy's line has a
        request id alone, a relay's a trace alone.
        """
        kept = [line for line in lines if line.ids]
        self._add(line for line in kept if self._word in line.text)
        self._add(line for line in kept if line.ids & self._ids)

    def takes(self, line: Line) -> bool:
        """Whether the line is about it."""
        return self._word in line.text or bool(line.ids & self._ids)

    def _add(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if len(self._ids) < MOST_IDS:
                self._ids |= line.ids


def in_order(lines: Iterable[Line]) -> list[Line]:
    """By time; lines of one log stay in their order."""
    return sorted(lines, key=lambda line: line.at)
