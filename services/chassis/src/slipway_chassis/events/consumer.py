"""The consumer: Kafka records to handlers, each event applied once per group.

A batch is one database transaction: inbox rows, the handlers' effects, commit; then the offsets. Only
when a batch fails are its records tried one by one, so that a bad one is found and the others go on:

- transient (``retriable``: database or broker away): wait and try again, for ever, never a dead letter
- permanent (``InvalidEvent``: undecodable, invalid): dead letter at once
- anything else: five tries with growing pauses, then dead letter

A stop in the middle leaves the rest uncommitted; it is never counted as a failed try.
"""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Counter, Gauge
from sqlalchemy.orm import Session

from ..database import Database
from ..errors import ChassisError, DependencyUnavailable, InvalidEvent
from ..lifecycle import Stop
from ..telemetry.correlation import TRACEPARENT, correlated
from .dead_letters import dead_letter
from .inbox import FORGET_AT_ONCE, claim, forget
from .ports import Publisher, Record, Subscription
from .stream import Envelope, decode

log = logging.getLogger(__name__)

CONSUMED = Counter("events_consumed_total", "Events applied", ["type"])
DUPLICATES = Counter("inbox_duplicates_total", "Events that were applied before and skipped")
DEAD_LETTERS = Counter("dlq_total", "Records moved to a dead-letter topic", ["reason"])
LAG_RECORDS = Gauge("consumer_lag_records", "Records waiting in the assigned partitions")
LAG_SECONDS = Gauge("consumer_lag_seconds", "Age of the last record applied, when it was applied")

BATCH = 200
TRIES = 5
BACKOFF_MAX = 30.0
# One by one, a batch of failing records could outlast max_poll_interval (300 s): the group would take
# the partitions away, and the same records would come again for ever.
ALONE_SECONDS = 30.0
FORGET_EVERY_SECONDS = 600.0

Handler = Callable[[Session, Any], None]


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a service does about one type of event: the class that reads it and the handler."""

    event: type
    handler: Handler


@dataclass(frozen=True, slots=True)
class _Work:
    record: Record
    envelope: Envelope
    event: object
    handler: Handler


class Consumer:
    """``reactions`` are keyed by event type (``orders.OrderPlaced.v1``); other types are passed over."""

    def __init__(
        self,
        group: str,
        *,
        database: Database,
        subscription: Subscription,
        publisher: Publisher,
        reactions: Mapping[str, Reaction],
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group = group
        self._database = database
        self._subscription = subscription
        self._publisher = publisher
        self._reactions = reactions
        self._chance = chance or random.Random()  # noqa: S311 # jitter, not a secret
        self._clock = clock
        self._forget_at = clock()
        self._failures = 0

    def run(self, stop: Stop) -> None:
        """Consumes until stopped; finishes and commits the batch in hand, then returns."""
        while not stop.requested:
            try:
                records = self._subscription.poll(timeout=0.5, limit=BATCH)
                LAG_RECORDS.set(self._subscription.lag())
                if records:
                    self._consume(records, stop)
                if self._clock() >= self._forget_at:
                    self._forget()
            except DependencyUnavailable as error:
                log.warning("the consumer waits: %s", error)
                self._back_off(stop)

    def _forget(self) -> None:
        """Keeps the inbox small: old rows guard against records that Kafka dropped long ago."""
        with self._database.transaction() as session:
            removed = forget(session, self._group)
        if removed < FORGET_AT_ONCE:
            self._forget_at = self._clock() + FORGET_EVERY_SECONDS

    def _consume(self, records: Sequence[Record], stop: Stop) -> None:
        """Applies the records; what could not be applied now is polled again."""
        done = 0
        try:
            if self._apply_together(records):
                done = len(records)
            else:
                give_up_at = self._clock() + ALONE_SECONDS
                for record in records:
                    if self._clock() > give_up_at or not self._apply_alone(record, stop):
                        break
                    done += 1
            self._failures = 0
        finally:
            if done < len(records):
                self._subscription.rewind(records[done:])
            self._commit(records[:done])

    def _commit(self, done: Sequence[Record]) -> None:
        try:
            self._subscription.commit(done)
        except DependencyUnavailable as error:
            # A rebalance or a broker restart: the records come again, and the inbox knows them.
            log.warning("offsets were not committed, records may come again: %s", error)

    def _apply_together(self, records: Sequence[Record]) -> bool:
        """One transaction for all. False when one of them is not fit for that; then nothing was changed."""
        try:
            works = [work for record in records if (work := self._read(record))]
            self._apply(works)
        except DependencyUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 # whatever it is, it is found again alone
            log.info("a batch of %d is taken one by one: %s", len(records), error)
            return False
        return True

    def _read(self, record: Record) -> _Work | None:
        """The record as work for a handler, or None when nobody here asked for its type."""
        kind = record.header("ce_type")
        if kind and kind not in self._reactions:
            return None
        envelope = Envelope.of(record)
        reaction = self._reactions[envelope.type]
        return _Work(record, envelope, decode(reaction.event, record.value), reaction.handler)

    def _apply(self, works: Sequence[_Work]) -> None:
        applied: list[_Work] = []
        with self._database.transaction() as session:
            unseen = claim(session, self._group, [work.envelope.id for work in works])
            for work in works:
                if work.envelope.id in unseen:
                    unseen.discard(work.envelope.id)  # the same event may stand twice in one batch
                    with correlated({TRACEPARENT: work.envelope.traceparent or ""}):
                        work.handler(session, work.event)
                    applied.append(work)
        DUPLICATES.inc(len(works) - len(applied))
        for work in applied:
            CONSUMED.labels(work.envelope.type).inc()
        if works:
            LAG_SECONDS.set(max(0.0, time.time() - works[-1].record.timestamp_ms / 1000))

    def _apply_alone(self, record: Record, stop: Stop) -> bool:
        """Applies one record or makes it a dead letter. False when stopped before either."""
        for attempt in range(1, TRIES + 1):
            try:
                work = self._read(record)
                if work:
                    self._apply([work])
            except DependencyUnavailable:
                raise
            except InvalidEvent as error:
                self._bury(record, reason="invalid", error=error, attempts=attempt)
                return True
            except Exception as error:  # a handler may raise anything
                if isinstance(error, ChassisError) and error.retriable:
                    raise DependencyUnavailable(str(error)) from error
                if attempt == TRIES:
                    self._bury(record, reason="failed", error=error, attempts=attempt)
                    return True
                log.warning("try %d of %d failed: %s: %s", attempt, TRIES, type(error).__name__, error)
                if stop.wait(self._chance.uniform(0, 0.1 * 2**attempt)):
                    return False
            else:
                return True
        return False

    def _bury(self, record: Record, *, reason: str, error: Exception, attempts: int) -> None:
        letter = dead_letter(record, self._group, reason=reason, error=error, attempts=attempts, now=datetime.now(UTC))
        failure = self._publisher.publish([letter])[0]
        if failure is not None and not failure.retriable:  # too large with its new headers: they say where it is
            failure = self._publisher.publish([replace(letter, value=None)])[0]
        if failure is not None:
            raise DependencyUnavailable(f"the dead letter was not accepted: {failure}") from failure
        DEAD_LETTERS.labels(reason).inc()
        log.error("dead letter: %s partition %d offset %d: %s", record.topic, record.partition, record.offset, error)

    def _back_off(self, stop: Stop) -> None:
        self._failures = min(self._failures + 1, 10)  # the pause is at its largest long before
        stop.wait(self._chance.uniform(0.1, min(BACKOFF_MAX, 0.5 * 2**self._failures)))
