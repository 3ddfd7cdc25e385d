"""The consumer: Kafka records to handlers, each event applied once per group.

A batch is one database transaction: inbox rows, the handlers' effects, commit; then the offsets. When it
fails it is halved until the bad record is alone, and that one waits for its next try with the later
records of its key behind it, while all other keys go on:

- transient (``retriable``: database or broker away): wait and try again, for ever, never a dead letter
- permanent (``InvalidEvent``: undecodable, invalid, unknown version): dead letter at once
- anything else: five tries with growing pauses, then dead letter

On strict topics the key of a dead letter is parked. A stop leaves what waits uncommitted; it is never
counted as a failed try.
"""

import logging
import random
import time
from collections import Counter as Counted
from collections.abc import Callable, Sequence
from typing import NamedTuple

from prometheus_client import Counter, Gauge
from sqlalchemy.orm import Session

from ..database import Database
from ..errors import DependencyUnavailable, InvalidEvent
from ..lifecycle import Stop
from ..telemetry.correlation import OpenSpan
from . import parking
from .dead_letters import (
    BEGIN,
    CONTROL,
    Failure,
    publish_dead_letters,
    retry_topic,
    sequence_of,
)
from .deferral import Deferrals, Deferred, Positions
from .inbox import claim, forget
from .ports import Publisher, Record, Subscription
from .retention import FORGET_AT_ONCE, FORGET_EVERY_SECONDS
from .sources import Reaction, Source
from .stream import Envelope, decode

log = logging.getLogger(__name__)

CONSUMED = Counter("events_consumed_total", "Events applied", ["type"])
DUPLICATES = Counter("inbox_duplicates_total", "Duplicate events skipped by the inbox")
DEFERRED = Gauge("consumer_deferred_records", "Records waiting for a retry, and those queued behind them")
LAG_RECORDS = Gauge("consumer_lag_records", "Records waiting in the assigned partitions")
LAG_SECONDS = Gauge("consumer_lag_seconds", "Age of the last applied record when it was applied, in seconds")

BATCH = 1_000
TRIES = 5
PAUSE_SECONDS = 0.1  # before the second try; doubled each time, with full jitter
BACKOFF_MAX = 30.0
POLL_SECONDS = 0.5
COMMIT_SECONDS = 0.2
MAX_DEFERRED = 2_000  # then nothing new is polled until some of it is settled
UPKEEP_SECONDS = 10.0


class _Work(NamedTuple):
    record: Record
    envelope: Envelope
    event: object
    reaction: Reaction


class Consumer:
    """Applies the events of ``sources`` for one group."""

    def __init__(
        self,
        group: str,
        *,
        database: Database,
        subscription: Subscription,
        publisher: Publisher,
        sources: Sequence[Source],
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group = group
        self._database = database
        self._subscription = subscription
        self._publisher = publisher
        self._retries = {retry_topic(source.topic, group): source.topic for source in sources}
        self._sources = {s.topic: s for s in sources}
        self._sources |= {retry: self._sources[origin] for retry, origin in self._retries.items()}
        self._chance = chance or random.Random()  # noqa: S311 # jitter, not a secret
        self._clock = clock
        self._upkeep_at = self._forget_at = clock()
        self._commit_at = 0.0
        self._failures = 0
        self._deferrals = Deferrals()
        self._positions = Positions()
        self._parked: set[parking.Key] = set()  # of the records in hand

    def run(self, stop: Stop) -> None:
        """Consumes until stopped; finishes and commits the batch in hand, then returns."""
        while not stop.requested:
            try:
                self._round(stop)
                self._failures = 0
            except DependencyUnavailable as error:
                log.warning("the consumer waits: %s", error)
                self._start_over()
                self._failures = min(self._failures + 1, 10)  # the pause is at its largest long before
                stop.wait(self._chance.uniform(0.1, min(BACKOFF_MAX, 0.5 * 2**self._failures)))
        self._commit(at_once=True)

    def _round(self, stop: Stop) -> None:
        records = self._poll(stop)
        self._keep_assigned()
        self._positions.polled(records)
        for deferred in self._deferrals.due(self._clock()):
            self._try_again(deferred)
        if self._deferrals.waiting:
            records = [record for record in records if not self._deferrals.takes(record)]
        self._process(records)
        self._commit(at_once=len(records) >= BATCH)
        self._upkeep()

    def _poll(self, stop: Stop) -> list[Record]:
        now = self._clock()
        wait = min(POLL_SECONDS, max(0.0, self._deferrals.next_due(now + POLL_SECONDS) - now))
        if len(self._deferrals) >= MAX_DEFERRED:
            stop.wait(wait)
            return []
        return self._subscription.poll(timeout=wait, limit=BATCH)

    def _keep_assigned(self) -> None:
        assigned = self._subscription.assigned()
        self._deferrals.keep(assigned)
        self._positions.keep(assigned)

    def _start_over(self) -> None:
        """Everything that is not committed is polled again; the inbox knows what was applied of it."""
        self._deferrals = Deferrals()
        self._subscription.seek(self._positions.committed)
        self._positions.next = dict(self._positions.committed)

    def _commit(self, *, at_once: bool = False) -> None:
        """After a batch; after small ones a few times a second, since what comes again is known to the inbox."""
        now = self._clock()
        if now < self._commit_at and not at_once:
            return
        self._commit_at = now + COMMIT_SECONDS
        offsets = self._positions.to_commit(self._deferrals.first_offsets())
        if not offsets:
            return
        try:
            self._subscription.commit(offsets)
            self._positions.committed |= offsets
        except DependencyUnavailable as error:
            # A rebalance or a broker restart: the records come again, and the inbox knows them.
            log.warning("offsets were not committed, records may come again: %s", error)

    # --- many records at once

    def _process(self, records: Sequence[Record]) -> None:
        fresh = []
        for record in records:
            if not self._is_retried(record):
                fresh.append(record)
            elif not self._deferrals.takes(record):
                self._process_alone(record)
        self._parked = self._parked_among(fresh)
        works, letters = [], []
        for record in fresh:
            if self._follows(record):
                continue
            try:
                if work := self._read(record):
                    works.append(work)
            except InvalidEvent as error:
                if self._sources[record.topic].strict:
                    # Those before it come first: one of them may wait, and then this one waits behind it.
                    self._apply_or_halve(works)
                    works = []
                    if not self._deferrals.takes(record):
                        self._failed(record, error, attempts=1)
                else:
                    letters.append(_failure(record, error, attempts=1))
        self._apply_or_halve(works)
        self._publish_dead_letters(letters)

    def _apply_or_halve(self, works: Sequence[_Work]) -> None:
        if self._deferrals.waiting or self._parked:
            works = [one for one in works if not self._deferrals.takes(one.record) and not self._follows(one.record)]
        if not works:
            return
        try:
            self._apply(works)
        except Exception as error:  # noqa: BLE001 # a handler may raise anything
            _wait_if_retriable(error)
            if len(works) == 1:
                self._failed(works[0].record, error, attempts=1)
                return
            half = len(works) // 2
            self._apply_or_halve(works[:half])
            self._apply_or_halve(works[half:])

    def _read(self, record: Record) -> _Work | None:
        """The record as work for a handler, or None when nobody here asked for its type."""
        kind = record.header("ce_type")
        reaction = self._sources[record.topic].reaction_to(kind)
        if reaction is None and kind:
            return None
        envelope = Envelope.of(record)
        if reaction is None:
            raise InvalidEvent("the record has no type")
        return _Work(record, envelope, decode(reaction.event, record.value), reaction)

    def _apply(self, works: Sequence[_Work]) -> None:
        applied: list[str] = []
        with self._database.transaction() as session:
            unseen = claim(session, self._group, [work.envelope.id for work in works])
            for work in works:
                if work.envelope.id in unseen:
                    unseen.discard(work.envelope.id)  # the same event may stand twice in one batch
                    _handle(session, work)
                    applied.append(work.envelope.type)
        if len(applied) < len(works):
            DUPLICATES.inc(len(works) - len(applied))
        for kind, count in Counted(applied).items():
            CONSUMED.labels(kind).inc(count)
        LAG_SECONDS.set(max(0.0, time.time() - works[-1].record.timestamp_ms / 1000))

    # --- one record

    def _try_again(self, deferred: Deferred) -> None:
        """The head once more; when it is settled, those behind it, as long as they do not fail."""
        self._deferrals.remove(deferred)
        records = deferred.records
        self._process_alone(records.popleft(), attempts=deferred.attempts + 1)
        while records:
            record = records.popleft()
            if not self._deferrals.takes(record):
                self._process_alone(record)

    def _process_alone(self, record: Record, *, attempts: int = 1) -> None:
        """Applies the record, buries it, or lets it wait for its next try."""
        try:
            if self._is_control(record) or self._is_behind_a_parked_one(record):
                return
            if work := self._read(record):
                self._apply([work])
        except Exception as error:  # noqa: BLE001 # a handler may raise anything
            _wait_if_retriable(error)
            self._failed(record, error, attempts=attempts)

    def _failed(self, record: Record, error: Exception, *, attempts: int) -> None:
        if isinstance(error, InvalidEvent) or attempts >= TRIES:
            self._publish_dead_letters([_failure(record, error, attempts=attempts)])
            return
        log.warning("try %d of %d failed: %s", attempts, TRIES, _words(error))
        pause = self._chance.uniform(0, PAUSE_SECONDS * 2**attempts)
        self._deferrals.defer(record, attempts=attempts, due=self._clock() + pause)

    # --- parked keys and dead letters

    def _key(self, record: Record) -> parking.Key:
        return self._retries.get(record.topic, record.topic), record.key or b""

    def _is_retried(self, record: Record) -> bool:
        return record.topic in self._retries

    def _parked_among(self, records: Sequence[Record]) -> set[parking.Key]:
        keys = {self._key(record) for record in records if self._sources[record.topic].strict}
        if not keys:
            return set()
        with self._database.transaction() as session:
            return parking.parked_among(session, self._group, keys)

    def _is_behind_a_parked_one(self, record: Record) -> bool:
        """Whether it was sent behind the dead letters of its key, where it belongs."""
        if not self._sources[record.topic].strict:
            return False
        key = self._key(record)
        retried = self._is_retried(record)
        with self._database.transaction() as session:
            parked = parking.state_of(session, self._group, key)
        if parked is None:
            return False
        if retried and 0 < sequence_of(record) <= parked.settled:
            return True  # an earlier replay settled it
        if not parked.waiting or (retried and parked.replaying):
            return False
        return self._follow(record)

    def _follows(self, record: Record) -> bool:
        """Whether its key is parked, also since a moment ago: then it went where the earlier ones are."""
        if not self._parked or self._key(record) not in self._parked:
            return False
        if not self._follow(record):
            self._process_alone(record)
        return True

    def _follow(self, record: Record) -> bool:
        """False when the key was released meanwhile: then it is the record's turn."""
        with self._database.transaction() as session:
            sequence = parking.follow(session, self._group, self._key(record))
        if sequence is None:
            return False
        failure = Failure(record=record, reason="parked", error="an earlier event of its key failed", attempts=0)
        publish_dead_letters(self._publisher, [failure], [sequence], group=self._group)
        return True

    def _is_control(self, record: Record) -> bool:
        mark = record.header(CONTROL)
        if not mark or not self._is_retried(record):
            return False
        key = self._key(record)
        with self._database.transaction() as session:
            if mark == BEGIN:
                parking.begin_replay(session, self._group, key)
            elif parking.end_replay(session, self._group, key, sequence_of(record)):
                log.info("the key %r of %s goes on: its dead letters were replayed", key[1], key[0])
        return True

    def _publish_dead_letters(self, failures: Sequence[Failure]) -> None:
        if not failures:
            return
        strict = [self._sources[failure.record.topic].strict for failure in failures]
        keys = [self._key(failure.record) for failure, parks in zip(failures, strict, strict=True) if parks]
        numbers: list[int] = []
        if keys:
            self._parked.update(keys)
            with self._database.transaction() as session:
                numbers = parking.park(session, self._group, keys)
        numbered = iter(numbers)
        publish_dead_letters(
            self._publisher, failures, [next(numbered) if parks else 0 for parks in strict], group=self._group
        )

    # --- now and then

    def _upkeep(self) -> None:
        LAG_RECORDS.set(self._subscription.lag())
        DEFERRED.set(len(self._deferrals))
        if self._clock() >= self._upkeep_at:
            self._upkeep_at = self._clock() + UPKEEP_SECONDS
            with self._database.transaction() as session:
                parking.PARKED.labels(self._group).set(parking.count_parked(session, self._group))
        if self._clock() >= self._forget_at:
            self._forget()

    def _forget(self) -> None:
        """Keeps the inbox small: old rows guard against records that Kafka dropped long ago."""
        with self._database.transaction() as session:
            removed = forget(session, self._group)
        if removed < FORGET_AT_ONCE:
            self._forget_at = self._clock() + FORGET_EVERY_SECONDS


def _handle(session: Session, work: _Work) -> None:
    # Without a block: a generator for each event would cost as much as reading it.
    opened = OpenSpan(f"process {work.envelope.type}", kind="consumer", parent=work.envelope.traceparent)
    try:
        work.reaction.handler(session, work.event, work.envelope)
        session.flush()  # here, so that what it writes and what fails belongs to this event
    except BaseException as error:
        opened.close(error)
        raise
    opened.close()


def _wait_if_retriable(error: Exception) -> None:
    """Time can mend it: then the whole consumer waits, and nothing counts as a failed try."""
    if getattr(error, "retriable", False):
        raise DependencyUnavailable(str(error)) from error


def _failure(record: Record, error: Exception, *, attempts: int) -> Failure:
    reason = error.reason if isinstance(error, InvalidEvent) else "failed"
    return Failure(record=record, reason=reason, error=_words(error), attempts=attempts)


def _words(error: Exception) -> str:
    said = str(error)
    # PostgreSQL's DETAIL quotes the row it refused: values have no place in logs and headers.
    return f"{type(error).__name__}: {said.partition('DETAIL:')[0].strip()}"
