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
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from ..errors import ConfigurationError, InvalidEvent
from ..telemetry.correlation import TRACEPARENT
from .ports import Record

ACCOMPANIES = "ce_accompanies"

_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(event_class: type[Any]) -> TypeAdapter[Any]:
    """Building one takes a millisecond, using it microseconds."""
    if event_class not in _adapters:
        _adapters[event_class] = TypeAdapter(event_class)
    return _adapters[event_class]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """``events`` maps a type's name on the wire (``orders.OrderPlaced.v1``) to its class.

    ``side_by_side`` has names without their version (``orders.OrderPlaced``): each change is published in all versions
    that ``events`` has of them, one event each. These say so of each other, and a consumer applies the newest it knows.
    """

    topic: str
    aggregate: str
    source: str
    events: Mapping[str, type[Any]]
    side_by_side: Collection[str] = ()

    def __post_init__(self) -> None:
        for name in self.side_by_side:
            if sum(name_and_version(kind)[0] == name for kind in self.events) < 2:  # noqa: PLR2004 # one is not beside
                raise ConfigurationError(
                    f"side_by_side has {name!r}, and the stream {self.topic} no two versions of it"
                )

    def companions(self) -> dict[str, str]:
        """Per type of event the other versions that are published with it, as ``ce_accompanies`` has them."""
        found = {}
        for kind in self.events:
            name = name_and_version(kind)[0]
            if name in self.side_by_side:
                others = (other for other in self.events if other != kind and name_and_version(other)[0] == name)
                found[kind] = ",".join(sorted(others))
        return found

    def type_of(self, event: object) -> str:
        """The event's type on the wire; InvalidEvent when its class is none of the stream's."""
        for name, event_class in self.events.items():
            if type(event) is event_class:
                return name
        raise InvalidEvent(f"{type(event).__name__} is no event of the stream {self.topic}")


def name_and_version(kind: str) -> tuple[str, str]:
    """``orders.OrderPlaced.v1`` as ``orders.OrderPlaced`` and ``1``; the name is empty where there is no version."""
    name, _, version = kind.rpartition(".v")
    return name, version


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What travels with an event. ``accompanies``: other versions of it that tell of the same change, with commas."""

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    version: int
    traceparent: str | None = None
    accompanies: str = ""

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
            accompanies=self.accompanies,
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
                accompanies=found.get(ACCOMPANIES, b"").decode(),
            )
        except KeyError as error:
            raise InvalidEvent(f"not a CloudEvent in binary mode: the header {error} is missing") from error
        except ValueError as error:
            raise InvalidEvent(f"not a CloudEvent in binary mode: {error}") from error


@functools.lru_cache(maxsize=1024)
def _same_for_all(kind: str, source: str, accompanies: str) -> tuple[tuple[str, bytes], ...]:
    """The headers that all events of a type share."""
    mark = ((ACCOMPANIES, accompanies.encode()),) if accompanies else ()
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", kind.encode()),
        ("ce_source", source.encode()),
        ("content-type", b"application/json"),
        *mark,
    )


def wire_headers(
    *,
    event_id: str,
    kind: str,
    source: str,
    subject: str,
    time: str,
    version: int,
    traceparent: str | None,
    accompanies: str = "",
) -> tuple[tuple[str, bytes], ...]:
    """An envelope as Kafka headers; ``time`` as ISO 8601."""
    headers = (
        *_same_for_all(kind, source, accompanies),
        ("ce_id", event_id.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", time.encode()),
        ("ce_aggregateversion", b"%d" % version),
    )
    return (*headers, (TRACEPARENT, traceparent.encode())) if traceparent else headers


def _missing(header: str) -> str:
    raise ValueError(f"the header {header} is missing")


def encode(event: Any) -> bytes:
    """The event as JSON; keys are the fields' names, or their aliases where the class gives them some."""
    return _adapter(type(event)).dump_json(event, by_alias=True)


def decode(event_class: type[Any], value: bytes | None) -> Any:
    """Reads JSON into the class; fields it does not know are ignored, so that producers may add some."""
    try:
        return _adapter(event_class).validate_json(value or b"")
    except ValidationError as error:
        faults = "; ".join(f"{'/'.join(map(str, f['loc'])) or 'value'}: {f['msg']}" for f in error.errors()[:5])
        raise InvalidEvent(f"{event_class.__name__} can't be read: {faults}") from None
    except Exception as error:  # what a class of the service raises while it is built, say in __post_init__
        raise InvalidEvent(f"{event_class.__name__} can't be read: {type(error).__name__}") from error
