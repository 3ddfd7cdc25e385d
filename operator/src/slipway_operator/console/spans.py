"""One order's way as a waterfall: from the lines that all processes wrote about it. Pure.

Requests and calls say how long they took. An event's id has the time at which it was made (UUIDv7), its relay says when
Kafka had it and each consumer when it was applied: so its time in the outbox and in Kafka is known without a store of
spans. Lines have the fields of the Elastic Common Schema, wherever they come from.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

ACCESS, RELAY, BATCH = "slipway.access", "slipway_chassis.events.relay", "slipway_chassis.events.batch"
GATEWAY = "gateway"
MOST_SPANS = 300
LONGEST_NAME = 200
FAILURES_BEGIN = 500  # of HTTP
LARGEST_NUMBER = 1e18  # nanoseconds of thirty years, for durations
_BAD = frozenset({"error", "critical"})

Kind = Literal["gateway", "http", "grpc", "outbox", "kafka", "line"]
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """``began``, ``ended``: seconds since 1970; equal for a line that says no duration."""

    kind: Kind
    service: str
    process: str
    version: str
    name: str
    trace: str
    began: float
    ended: float
    failed: bool = False


def spans_of(lines: Iterable[Fields]) -> list[Span]:
    """By the time they began; the first MOST_SPANS."""
    kept = [(at, fields) for fields in lines if (at := _at(fields)) is not None]
    sent = {_event(fields): at for at, fields in kept if fields.get("log.logger") == RELAY and _event(fields)}
    spans = [_span(at, fields, sent) for at, fields in kept]
    return sorted(spans, key=lambda span: (span.began, span.ended))[:MOST_SPANS]


def _span(at: float, fields: Fields, sent: Mapping[str, float]) -> Span:
    kind, began, ended = _when(at, fields, sent)
    return Span(
        kind,
        service=_text(fields.get("service.name")),
        process=_text(fields.get("process.title")),
        version=_text(fields.get("service.version")),
        name=_text(fields.get("event.action") or fields.get("message")),
        trace=_text(fields.get("trace.id")),
        began=began,
        ended=ended,
        failed=_failed(fields),
    )


def _when(at: float, fields: Fields, sent: Mapping[str, float]) -> tuple[Kind, float, float]:
    logger, event = fields.get("log.logger"), _event(fields)
    if logger == ACCESS:
        seconds = _number(fields.get("event.duration")) / 1e9
        if fields.get("service.name") == GATEWAY:  # Envoy writes when a request began, the chassis when it ended
            return "gateway", at, at + seconds
        return ("http" if "http.request.method" in fields else "grpc"), at - seconds, at
    if logger == RELAY and event:
        return "outbox", min(at, _made(event) or at), at
    if logger == BATCH and event:
        return "kafka", min(at, sent.get(event) or _made(event) or at), at
    return "line", at, at


def _failed(fields: Fields) -> bool:
    return _number(fields.get("http.response.status_code")) >= FAILURES_BEGIN or str(fields.get("log.level")) in _BAD


def _event(fields: Fields) -> str:
    return str(fields.get("event.id") or "")


def _made(event: str) -> float | None:
    """When a UUID of version 7 was made; None for what is none."""
    try:
        read = uuid.UUID(event)
    except ValueError:
        return None
    return (read.int >> 80) / 1000 if read.version == 7 else None  # noqa: PLR2004 # RFC 9562


def _text(value: Any) -> str:
    return str(value or "")[:LONGEST_NAME]


def _number(value: Any) -> float:
    """Of a line that anybody may have written: 0 for what is no number that a page can show."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return 0.0
    return float(value) if abs(value) < LARGEST_NUMBER else 0.0  # which NaN and infinity are not


def _at(fields: Fields) -> float | None:
    try:
        return datetime.fromisoformat(str(fields.get("@timestamp"))).timestamp()
    except (ValueError, OverflowError):
        return None
