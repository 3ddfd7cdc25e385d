"""Streams of domain events and their wire form: CloudEvents 1.0, Kafka binary mode.

A stream is one topic that carries the events of one kind of aggregate, keyed by the aggregate's id, so
that the events of one aggregate stay in order. Events are dataclasses in the past tense (the domain
needs no framework for them); pydantic gives them JSON and validation here.

>>> @dataclass(frozen=True)
... class ParcelSent:
...     parcel_id: int
>>> decode(ParcelSent, encode(ParcelSent(7)))
ParcelSent(parcel_id=7)

https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from ..errors import InvalidEvent
from ..telemetry.correlation import TRACEPARENT
from .ports import Record

_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(event_class: type[Any]) -> TypeAdapter[Any]:
    """Building one takes a millisecond, using it microseconds."""
    if event_class not in _adapters:
        _adapters[event_class] = TypeAdapter(event_class)
    return _adapters[event_class]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """``events`` maps a type's name on the wire (``orders.OrderPlaced.v1``) to its class."""

    topic: str
    aggregate: str
    source: str
    events: Mapping[str, type[Any]]

    def type_of(self, event: object) -> str:
        """The event's type on the wire; InvalidEvent when its class is none of the stream's."""
        for name, event_class in self.events.items():
            if type(event) is event_class:
                return name
        raise InvalidEvent(f"{type(event).__name__} is no event of the stream {self.topic}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What travels with an event."""

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    version: int
    traceparent: str | None = None

    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """As Kafka headers, in CloudEvents' binary mode: ``ce_id``, ``ce_type``, …, ``traceparent``."""
        return wire_headers(
            event_id=str(self.id),
            kind=self.type,
            source=self.source,
            subject=self.subject,
            time=self.time.astimezone(UTC).isoformat(),
            version=self.version,
            traceparent=self.traceparent,
        )

    @staticmethod
    def of(record: Record) -> "Envelope":
        """Reads a record's headers, or raises InvalidEvent that names the wrong one."""
        found = {name: value or b"" for name, value in record.headers}
        try:
            return Envelope(
                id=UUID(found["ce_id"].decode()),
                type=found["ce_type"].decode() or _missing("ce_type"),
                source=found["ce_source"].decode(),
                subject=found["ce_subject"].decode(),
                time=datetime.fromisoformat(found["ce_time"].decode()),
                version=int(found["ce_aggregateversion"]),
                traceparent=found[TRACEPARENT].decode() if TRACEPARENT in found else None,
            )
        except KeyError as error:
            raise InvalidEvent(f"not a CloudEvent in binary mode: the header {error} is missing") from error
        except ValueError as error:
            raise InvalidEvent(f"not a CloudEvent in binary mode: {error}") from error


@functools.lru_cache(maxsize=1024)
def _same_for_all(kind: str, source: str) -> tuple[tuple[str, bytes], ...]:
    """The headers that all events of a type share."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", kind.encode()),
        ("ce_source", source.encode()),
        ("content-type", b"application/json"),
    )


def wire_headers(
    *, event_id: str, kind: str, source: str, subject: str, time: str, version: int, traceparent: str | None
) -> tuple[tuple[str, bytes], ...]:
    """An envelope as Kafka headers; ``time`` as ISO 8601."""
    headers = (
        *_same_for_all(kind, source),
        ("ce_id", event_id.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", time.encode()),
        ("ce_aggregateversion", b"%d" % version),
    )
    return (*headers, (TRACEPARENT, traceparent.encode())) if traceparent else headers


def _missing(header: str) -> str:
    raise ValueError(f"the header {header} is missing")


def encode(event: Any) -> bytes:
    """The event as JSON; keys as the class declares them."""
    return _adapter(type(event)).dump_json(event)


def decode(event_class: type[Any], value: bytes | None) -> Any:
    """Reads JSON into the class; fields it does not know are ignored, so that producers may add some."""
    try:
        return _adapter(event_class).validate_json(value or b"")
    except ValidationError as error:
        faults = "; ".join(f"{'/'.join(map(str, f['loc'])) or 'value'}: {f['msg']}" for f in error.errors()[:5])
        raise InvalidEvent(f"{event_class.__name__} can't be read: {faults}") from None
    except Exception as error:  # what a class of the service raises while it is built, say in __post_init__
        raise InvalidEvent(f"{event_class.__name__} can't be read: {type(error).__name__}") from error
