"""What others know of a service's aggregates, and its database does not: the gap that a restored database has.

Kafka keeps the events that the service published after the moment to which its database went back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from typing import cast as cast_type

from sqlalchemy import Column, Text, cast, inspect, select, update
from sqlalchemy.orm import Mapper

from ..config import KafkaSettings
from ..database import Database
from ..errors import ConfigurationError, InvalidEvent
from .kafka import list_topics, read_topic
from .ports import Record
from .stream import Envelope, Stream

# Records carry the time of the relay's machine, and the moment is PostgreSQL's.
CLOCKS_DIFFER = timedelta(minutes=1)
MOST_AGGREGATES = 1_000_000
ASKED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, order=True)
class Unknown:
    """An aggregate of which ``topic`` has version ``published`` and the database ``stored``; None: no row at all."""

    topic: str
    aggregate_id: str
    published: int
    stored: int | None


def gap_of(
    settings: KafkaSettings, database: Database, publishes: Mapping[type[Any], Stream], *, since: datetime
) -> list[Unknown]:
    """Aggregates with an event after ``since`` that is newer than their row, by topic and id. Mapped classes are
    expected. BrokerUnavailable and DatabaseUnavailable where one does not answer; ConfigurationError when more than
    MOST_AGGREGATES have events after ``since``.
    """
    there, found = set(list_topics(settings)), []
    for aggregate, stream in publishes.items():
        if stream.topic in there:
            published = newest(read_topic(settings, stream.topic), since=since - CLOCKS_DIFFER)
            found += unknown(stream.topic, published, _stored(database, aggregate, published))
    return sorted(found)


def go_on_from(database: Database, publishes: Mapping[type[Any], Stream], gap: Sequence[Unknown]) -> int:
    """Gives rows that are behind the version that others have seen of them, so that their next event is newer to
    everybody. What the rows say stays as it is. Returns how many were behind; rows that are not there are left out.
    """
    behind = {stream.topic: [one for one in gap if one.topic == stream.topic] for stream in publishes.values()}
    count = 0
    with database.transaction() as session:
        for aggregate, stream in publishes.items():
            key, version = _columns(aggregate)
            for one in behind[stream.topic]:
                this = (cast(key, Text) == one.aggregate_id, version < one.published)
                change = update(key.table).where(*this).values({version: one.published}).returning(key)
                count += len(session.execute(change).all())
    return count


def newest(records: Iterable[Record], *, since: datetime) -> dict[str, int]:
    """The highest version by aggregate, of records after ``since``. What is no event of ours is passed over."""
    begin, found = int(since.timestamp() * 1000), dict[str, int]()
    for envelope in _envelopes(record for record in records if record.timestamp_ms >= begin):
        found[envelope.subject] = max(found.get(envelope.subject, 0), envelope.version)
        if len(found) > MOST_AGGREGATES:
            raise ConfigurationError(
                f"more than {MOST_AGGREGATES:,} aggregates have events after {since:%Y-%m-%d %H:%M}"
            )
    return found


def _envelopes(records: Iterable[Record]) -> Iterator[Envelope]:
    for record in records:
        try:
            yield Envelope.of(record)
        except InvalidEvent:
            continue


def unknown(topic: str, published: Mapping[str, int], stored: Mapping[str, int]) -> list[Unknown]:
    """Those whose published version is newer than the stored one."""
    return [
        Unknown(topic, aggregate_id, version, stored.get(aggregate_id))
        for aggregate_id, version in published.items()
        if version > stored.get(aggregate_id, 0)
    ]


def _stored(database: Database, aggregate: type[Any], ids: Iterable[str]) -> dict[str, int]:
    column, version = _columns(aggregate)
    key = cast(column, Text)
    found: dict[str, int] = {}
    with database.transaction() as session:
        for some in _some_at_a_time(list(ids)):
            found |= {row[0]: int(row[1]) for row in session.execute(select(key, version).where(key.in_(some)))}
    return found


def _columns(aggregate: type[Any]) -> tuple[Column[Any], Column[Any]]:
    """Of its id and its version."""
    mapper: Mapper[Any] = inspect(aggregate)
    if mapper.version_id_col is None:
        raise ConfigurationError(f"{aggregate.__name__} has a stream and is mapped without version_id_col")
    return cast_type("Column[Any]", mapper.primary_key[0]), cast_type("Column[Any]", mapper.version_id_col)


def _some_at_a_time(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[begin : begin + ASKED_AT_ONCE] for begin in range(0, len(ids), ASKED_AT_ONCE))
