"""The outbox: domain events become rows of the transaction that caused them, without being asked to.

An aggregate (any mapped class with ``id``, ``version`` and a list ``events``) notes what happened to it;
before SQLAlchemy flushes the transaction, the notes are taken and written as rows. So no event exists
without its change, and no change without its event.
"""

import zlib
from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ..database import SHARDS_WRITTEN
from ..telemetry.correlation import current_traceparent
from .stream import Stream, encode

# More than relays will ever run side by side; changing it means draining the outbox first.
SHARDS = 16


# As text: this runs in every business transaction, and building a statement costs a tenth of a commit.
_INSERT = text(
    "INSERT INTO outbox (event_id, topic, aggregate_type, aggregate_id, aggregate_version, shard, type, source,"
    " traceparent, payload) VALUES (:event_id, :topic, :aggregate_type, :aggregate_id, :aggregate_version, :shard,"
    " :type, :source, :traceparent, :payload)"
)


class Aggregate(Protocol):
    id: Any
    version: int  # counts the aggregate's events: the last of ``events`` has this version
    events: list[Any]


def shard_of(aggregate_id: str) -> int:
    return zlib.crc32(aggregate_id.encode()) % SHARDS


def write_events_of(streams: Mapping[type[Any], Stream]) -> None:
    """From now on the events of these aggregate classes go to the outbox. Call once per process."""

    def before_flush(session: Session, _context: object, _instances: object) -> None:
        rows: list[dict[str, object]] = []
        for aggregate in (*session.new, *session.dirty, *session.deleted):
            stream = streams.get(type(aggregate))
            if stream is not None:
                rows += _take_rows(aggregate, stream)
        if rows:
            session.connection().execute(_INSERT, rows)
            session.info.setdefault(SHARDS_WRITTEN, set()).update(row["shard"] for row in rows)

    def on_load(aggregate: Aggregate, _context: object) -> None:
        aggregate.events = []  # SQLAlchemy does not call __init__ for what it reads

    sqlalchemy_event.listen(Session, "before_flush", before_flush)
    for aggregate_class in streams:
        sqlalchemy_event.listen(aggregate_class, "load", on_load)


def _take_rows(aggregate: Aggregate, stream: Stream) -> list[dict[str, object]]:
    events, aggregate.events = aggregate.events, []
    first_version = aggregate.version - len(events) + 1
    return [
        {
            "event_id": uuid7(),
            "topic": stream.topic,
            "aggregate_type": stream.aggregate,
            "aggregate_id": str(aggregate.id),
            "aggregate_version": version,
            "shard": shard_of(str(aggregate.id)),
            "type": stream.type_of(event),
            "source": stream.source,
            "traceparent": current_traceparent(),
            "payload": encode(event).decode(),
        }
        for version, event in enumerate(events, start=first_version)
    ]
