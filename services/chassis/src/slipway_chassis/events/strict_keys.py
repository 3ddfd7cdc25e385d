"""What a consumer does with parked keys: records follow their key's dead letters, and a replay lets them go on.

The rows behind it are those of ``parking``.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

from ..database import Database
from . import parking
from .dead_letters import BEGIN, CONTROL, PARKED_REASON, Failure, retry_topic, sequence_of
from .ports import Record
from .sources import Source

log = logging.getLogger(__name__)

Publish = Callable[[Sequence[Failure], Sequence[int]], None]
"""Publishes dead letters with their numbers, or raises DependencyUnavailable."""


class StrictKeys:
    """The keys of one group. ``sources`` by topic, retry topics included."""

    def __init__(self, group: str, database: Database, sources: Mapping[str, Source], publish: Publish) -> None:
        self._group = group
        self._database = database
        self._sources = sources
        self._publish = publish
        self._retries = {retry_topic(source.topic, group): source.topic for source in sources.values()}
        self._parked: set[parking.Key] = set()  # of the records in hand

    def is_strict(self, record: Record) -> bool:
        return self._sources[record.topic].strict

    def is_retried(self, record: Record) -> bool:
        """Whether a replay sent it."""
        return record.topic in self._retries

    def look_up(self, records: Sequence[Record]) -> None:
        """Asks which keys of the records in hand are parked."""
        keys = {self._key(record) for record in records if self.is_strict(record)}
        self._parked = set()
        if keys:
            with self._database.transaction() as session:
                self._parked = parking.parked_among(session, self._group, keys)

    def holds(self, record: Record) -> bool:
        """Whether its key is parked, also since a moment ago."""
        return bool(self._parked) and self._key(record) in self._parked

    def follow(self, record: Record) -> bool:
        """Sends the record where the earlier ones of its key are; False when the key was released meanwhile: then it
        is the record's turn.
        """
        with self._database.transaction() as session:
            sequence = parking.follow(session, self._group, self._key(record))
        if sequence is None:
            return False
        failure = Failure(record=record, reason=PARKED_REASON, error="an earlier event of its key failed", attempts=0)
        self._publish([failure], [sequence])
        return True

    def takes(self, record: Record) -> bool:
        """Whether nothing is left to do for the record: it is a control record, or went behind its key's letters."""
        return self._is_control(record) or self._is_behind_a_parked_one(record)

    def bury(self, failures: Sequence[Failure]) -> None:
        """Publishes the dead letters and parks their keys, where topics are strict."""
        strict = [self.is_strict(failure.record) for failure in failures]
        keys = [self._key(failure.record) for failure, parks in zip(failures, strict, strict=True) if parks]
        numbers: list[int] = []
        if keys:
            self._parked.update(keys)
            with self._database.transaction() as session:
                numbers = parking.park(session, self._group, keys)
        numbered = iter(numbers)
        self._publish(failures, [next(numbered) if parks else 0 for parks in strict])

    def measure(self) -> None:
        """Keeps the gauge of parked keys."""
        with self._database.transaction() as session:
            parking.PARKED.labels(self._group).set(parking.count_parked(session, self._group))

    def _key(self, record: Record) -> parking.Key:
        return self._retries.get(record.topic, record.topic), record.key or b""

    def _is_behind_a_parked_one(self, record: Record) -> bool:
        if not self.is_strict(record):
            return False
        retried = self.is_retried(record)
        with self._database.transaction() as session:
            parked = parking.state_of(session, self._group, self._key(record))
        if parked is None:
            return False
        if retried and 0 < sequence_of(record) <= parked.settled:
            return True  # an earlier replay settled it
        if not parked.waiting or (retried and parked.replaying):
            return False
        return self.follow(record)

    def _is_control(self, record: Record) -> bool:
        mark = record.header(CONTROL)
        if not mark or not self.is_retried(record):
            return False
        key = self._key(record)
        with self._database.transaction() as session:
            if mark == BEGIN:
                parking.begin_replay(session, self._group, key)
            elif parking.end_replay(session, self._group, key, sequence_of(record)):
                log.info("the key %r of %s goes on: its dead letters were replayed", key[1], key[0])
        return True
