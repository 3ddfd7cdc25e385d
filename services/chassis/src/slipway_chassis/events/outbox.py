"""The outbox: domain events become rows of the transaction that caused them, without being asked to.

An aggregate (any mapped class with ``id``, ``version`` and a list ``events``) notes what happened to it. When
SQLAlchemy has flushed it (only then its id is known, whoever makes it) the notes become rows. So no event exists
without its change, and no change without its event:

- a savepoint that is rolled back takes its events along; an aggregate that is new again has them again
- what is expired or refreshed loses the events of the change that is lost
- each event is one version, as the row says it; where the two differ, the flush is refused
- events that can't be written are refused: at the call that passes them over, at the latest at the commit
"""

import weakref
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import inspect, text
from sqlalchemy.orm import Mapper, Session, SessionTransaction, attributes
from uuid_utils.compat import uuid7

from ..database import SHARDS_WRITTEN, WATCHERS
from ..errors import ConfigurationError, TransactionRefused
from ..telemetry.correlation import current_traceparent
from .notes import Notes
from .stream import Stream, encode

# More than relays will ever run side by side; changing it means draining the outbox first.
SHARDS = 16

_VERSIONS = "slipway.versions"  # in session.info: those from before the flush under way
_WRITTEN = "slipway.written"  # in session.info: what new aggregates had noted, should they be new again


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


class _Written(NamedTuple):
    aggregate: "weakref.ref[Any]"
    events: list[Any]
    transaction: SessionTransaction


_streams: dict[type[Any], Stream] = {}
_stream_by_class: dict[type[Any], Stream | None] = {}


def shard_of(aggregate_id: str) -> int:
    return zlib.crc32(aggregate_id.encode()) % SHARDS


def write_events_of(streams: Mapping[type[Any], Stream]) -> None:
    """From now on the events of these aggregate classes, and of classes derived from them, go to the outbox.

    Raises ConfigurationError when a class is mapped such that order could not be kept. Call once per process.
    """
    for aggregate_class in streams:
        _require_versions(aggregate_class)
        if aggregate_class not in _streams:
            sqlalchemy_event.listen(aggregate_class, "load", _on_load, propagate=True)
            sqlalchemy_event.listen(aggregate_class, "expire", _on_expire, propagate=True)
    _streams.update(streams)
    _stream_by_class.clear()
    if streams and _OUTBOX not in WATCHERS:
        WATCHERS.append(_OUTBOX)
        sqlalchemy_event.listen(Session, "before_flush", _before_flush)
        sqlalchemy_event.listen(Session, "after_flush", _after_flush)
        sqlalchemy_event.listen(Session, "after_soft_rollback", _after_rollback)


def _require_versions(aggregate_class: type[Any]) -> None:
    """Two changes of one aggregate at a time would else both be committed, with one version."""
    mapper: Mapper[Any] | None = inspect(aggregate_class, raiseerr=False)
    name = aggregate_class.__name__
    if mapper is None:
        raise ConfigurationError(f"{name} has a stream and is not mapped to a table: map it in prepare=")
    if mapper.version_id_col is None:
        raise ConfigurationError(
            f"{name} has a stream and is mapped without version_id_col: two changes at once would have one version. "
            "Map it with version_id_col=table.c.version, version_id_generator=False"
        )
    counted = mapper.get_property_by_column(mapper.version_id_col).key
    if counted == "version" and mapper.version_id_generator is not False:
        raise ConfigurationError(
            f"{name} counts its versions itself, and SQLAlchemy would count them too: map it with "
            "version_id_generator=False"
        )


def _stream_of(aggregate: object) -> Stream | None:
    kind = type(aggregate)
    try:
        return _stream_by_class[kind]
    except KeyError:
        found = next((_streams[base] for base in kind.__mro__ if base in _streams), None)
        return _stream_by_class.setdefault(kind, found)


def _on_load(aggregate: Aggregate, _context: object) -> None:
    aggregate.events = Notes(of=aggregate)  # SQLAlchemy does not call __init__ for what it reads


def _on_expire(aggregate: Aggregate, names: Iterable[str] | None) -> None:
    """Its change is given up, by a rollback, expire or refresh: so are the events that told of it."""
    if names is None or "version" in names:
        aggregate.events = Notes(of=aggregate)


def _before_flush(session: Session, _context: object, _instances: object) -> None:
    """SQLAlchemy forgets the former version as soon as it has written the new one."""
    versions: dict[object, int] = {}
    for aggregates in (session.dirty, session.deleted):
        for aggregate in aggregates:
            if _stream_of(aggregate) is not None:
                history = attributes.get_history(aggregate, "version")
                before = history.deleted or history.unchanged
                if before and before[0] is not None:
                    versions[inspect(aggregate)] = before[0]
    session.info[_VERSIONS] = versions


def _after_flush(session: Session, _context: object) -> None:
    rows: list[dict[str, object]] = []
    for new, aggregates in ((True, session.new), (False, session.dirty), (False, session.deleted)):
        for aggregate in aggregates:
            stream = _stream_of(aggregate)
            # None: it is left for a later flush, and found at the commit if there is none.
            if stream is not None and aggregate.id is not None:
                rows += _take_rows(session, aggregate, stream, new=new)
    if rows:
        session.connection().execute(_INSERT, rows)
        session.info.setdefault(SHARDS_WRITTEN, set()).update(row["shard"] for row in rows)


def _take_rows(session: Session, aggregate: Any, stream: Stream, *, new: bool) -> list[dict[str, object]]:
    events = getattr(aggregate, "events", None)
    if new:
        _require_events(aggregate, events)
    else:
        _require_told(aggregate, events, session.info.get(_VERSIONS, {}).get(inspect(aggregate)))
    if not events and isinstance(events, Notes):
        return []
    aggregate.events = Notes(of=aggregate)
    if not events:
        return []
    events = list(events)
    transaction = session.get_nested_transaction() or session.get_transaction()
    if new and transaction is not None:
        session.info.setdefault(_WRITTEN, []).append(_Written(weakref.ref(aggregate), events, transaction))
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


def _require_events(aggregate: Any, events: list[Any] | None) -> None:
    name = f"{type(aggregate).__name__} {aggregate.id}"
    if events is None:  # made without __init__: a copy that merge made of a related object
        raise TransactionRefused(f"{name} is saved without its events: it was merged. Add the object itself")
    if aggregate.version is not None and aggregate.version < len(events):
        raise TransactionRefused(
            f"{name} noted {len(events)} events and has version {aggregate.version}: each event is one version"
        )


def _require_told(aggregate: Any, events: list[Any] | None, before: int | None) -> None:
    """The row's version tells how many events there must be."""
    noted = len(events or ())
    if before is not None and aggregate.version - before != noted:
        raise TransactionRefused(
            f"{type(aggregate).__name__} {aggregate.id} went from version {before} to {aggregate.version} and noted "
            f"{noted} events: each event is one version, and each version one event. (Merging, refreshing and expiring "
            "leave none.)"
        )


def _after_rollback(session: Session, rolled_back: SessionTransaction) -> None:
    """Aggregates that are new again have their events again."""
    kept = []
    for written in session.info.pop(_WRITTEN, ()):
        if not _is_within(written.transaction, rolled_back):
            kept.append(written)
            continue
        aggregate = written.aggregate()
        if aggregate is not None and inspect(aggregate).transient:
            aggregate.events = Notes([*written.events, *aggregate.events], of=aggregate)
    if kept:
        session.info[_WRITTEN] = kept


def _is_within(transaction: SessionTransaction | None, outer: SessionTransaction) -> bool:
    while transaction is not None and transaction is not outer:
        transaction = transaction.parent
    return transaction is outer


class _Outbox:
    """What a lent session does beside SQLAlchemy's events."""

    def merged(self, given: object, kept: object) -> None:
        """The copy is what is saved: it takes the events over."""
        stream = _stream_of(given)
        if stream is None or given is kept:
            return
        events = getattr(given, "events", None) or []
        aggregate: Any = kept
        aggregate.events = Notes([*(getattr(kept, "events", None) or ()), *events], of=kept)
        if events:
            attributes.flag_dirty(kept)
            given.events = []  # type: ignore[attr-defined] # it is an aggregate

    def saving_in_bulk(self, objects: Iterable[object]) -> None:
        for aggregate in objects:
            if _stream_of(aggregate) is not None and getattr(aggregate, "events", None):
                raise TransactionRefused(
                    f"bulk_save_objects would save a {type(aggregate).__name__} without its events: use add_all"
                )

    def committing(self, session: Session) -> None:
        aggregates: Iterable[Any] = session.identity_map.values()
        for aggregate in aggregates:
            if _stream_of(aggregate) is not None and getattr(aggregate, "events", None):
                raise TransactionRefused(
                    f"{type(aggregate).__name__} {aggregate.id} noted an event that was not written: note events by "
                    "events.append, and before the last flush"
                )


_OUTBOX = _Outbox()
