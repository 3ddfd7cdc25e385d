"""The consumer: Kafka records to handlers, each event applied once per group.

A batch is one database transaction: inbox rows, the handlers' effects, commit; then the offsets. It ends after about
a second of handlers' time (``batch``); what was polled beyond it is polled again, so that the group hears of this
member between two batches, and a stop is heard between two events. When a batch fails, those before the bad record
are applied, then that one alone; it waits for its next try with the later records of its key behind it, while all
other keys go on:

- PostgreSQL takes no writes: wait and try again, for ever, never a dead letter
- permanent (``InvalidEvent``: undecodable, invalid, unknown version): dead letter at once
- anything else: five tries with growing pauses, then dead letter. An error that time can mend (``retriable``) has
  half a minute besides, and counts only where others pass: if none does, something is away, and it is waited for

On strict topics the key of a dead letter is parked (``strict_keys``). A stop leaves what waits uncommitted; it is
never counted as a failed try.
"""

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from prometheus_client import Gauge

from ..database import Database
from ..errors import DatabaseUnavailable, DependencyUnavailable, InvalidEvent, SubscriptionOutdated
from ..lifecycle import Stop
from .batch import ApplyFailed, Batches, Work
from .dead_letters import Failure, failure_of, fields_of, publish_dead_letters, retry_topic, words_of
from .deferral import Deferrals, Deferred, Positions
from .inbox import RETENTION_BY_DEFAULT, forget
from .ports import Publisher, Record, Subscription
from .retention import FORGET_AT_ONCE, FORGET_EVERY_SECONDS
from .sources import Source
from .stream import ACCOMPANIES, Envelope, decode
from .strict_keys import StrictKeys

log = logging.getLogger(__name__)

DEFERRED = Gauge("consumer_deferred_records", "Records waiting for a retry, and those queued behind them")
LAG_RECORDS = Gauge("consumer_lag_records", "Records waiting in the assigned partitions")

BATCH = 1_000
ROUND_SECONDS = 1.0  # then the group hears of this member again, and a stop is heard
TRIES = 5
PATIENCE_SECONDS = 30.0  # that an error which time can mend goes on before its record becomes a dead letter
PAUSE_SECONDS = 0.1  # before the second try; doubled each time, with full jitter
LONGEST_PAUSE_SECONDS = 5.0
BACKOFF_MAX = 30.0
POLL_SECONDS = 0.5
COMMIT_SECONDS = 0.2
MAX_DEFERRED = 2_000  # then nothing new is polled until some of it is settled
MAX_DEFERRED_BYTES = 16 * 1024 * 1024
UPKEEP_SECONDS = 10.0


class _Item(NamedTuple):
    """A record that a handler asked for, or that can't be read; neither where its key is parked."""

    record: Record
    work: Work | None = None
    fault: InvalidEvent | None = None


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
        retention: Callable[[], timedelta | None] = lambda: RETENTION_BY_DEFAULT,
        is_outdated: Callable[[], bool] = lambda: False,
    ) -> None:
        """``retention``: how long records of the sources may stay readable, None for ever; the inbox remembers as long.
        ``is_outdated``: whether the subscription has to be made anew; then ``run`` ends with SubscriptionOutdated.
        """
        self._group = group
        self._database = database
        self._subscription = subscription
        self._publisher = publisher
        self._sources = {s.topic: s for s in sources}
        self._sources |= {retry_topic(s.topic, group): s for s in sources}
        self._chance = chance or random.Random()  # noqa: S311 # jitter, not a secret
        self._clock = clock
        self._retention = retention
        self._is_outdated = is_outdated
        self._upkeep_at = self._forget_at = clock()
        self._commit_at = 0.0
        self._failures = 0
        self._limit = BATCH  # records that one poll brings: as many as a round gets done
        self._round_ends = 0.0
        self._stop = Stop()
        self._deferrals = Deferrals()
        self._positions = Positions()
        self._batches = Batches(group, database, lambda: self._clock())  # noqa: PLW0108 # tests set another clock
        self._keys = StrictKeys(group, database, self._sources, self._bury)
        self._passed_at: dict[str, float] = {}  # type → when an event of it was applied last
        self._in_trouble = 0  # records in a row whose first try met an error that time can mend

    def run(self, stop: Stop) -> None:
        """Consumes until stopped; finishes the event in hand, commits what was applied, then returns."""
        while not stop.requested:
            in_trouble = self._in_trouble
            try:
                self._round(stop)
                self._failures = 0
            except SubscriptionOutdated:
                raise
            except DependencyUnavailable as error:
                log.warning("the consumer waits: %s", error)
                self._start_over()
                self._failures = min(self._failures + 1, 10)  # the pause is at its largest long before
                stop.wait(self._chance.uniform(0.1, min(BACKOFF_MAX, 0.5 * 2**self._failures)))
            if self._in_trouble > max(1, in_trouble):  # one after the other fails by what time can mend
                stop.wait(self._pause(self._in_trouble))
        self._commit(at_once=True)

    def _round(self, stop: Stop) -> None:
        self._stop = stop
        if self._is_outdated():
            raise SubscriptionOutdated("Kafka: a topic was made anew")
        records = self._poll()
        self._keep_assigned()
        self._positions.polled(records)
        self._round_ends = self._clock() + ROUND_SECONDS
        for number, deferred in enumerate(self._deferrals.due(self._clock())):
            if self._is_over(begun=number > 0):
                break
            self._try_again(deferred)
        if self._deferrals.waiting:
            records = [record for record in records if not self._deferrals.takes(record)]
        self._round_ends = max(self._round_ends, self._clock() + ROUND_SECONDS / 2)
        self._give_back(self._process(records), polled=len(records))
        self._commit(at_once=len(records) >= BATCH)
        self._upkeep()

    def _poll(self) -> list[Record]:
        now = self._clock()
        wait = min(POLL_SECONDS, max(0.0, self._deferrals.next_due(now + POLL_SECONDS) - now))
        is_full = len(self._deferrals) >= MAX_DEFERRED or self._deferrals.size() >= MAX_DEFERRED_BYTES
        return self._subscription.poll(timeout=wait, limit=0 if is_full else self._limit)

    def _is_over(self, *, begun: bool = True) -> bool:
        """Whether the rest is for another round; each round does something, if it is not asked to stop."""
        return self._stop.requested or (begun and self._clock() >= self._round_ends)

    def _give_back(self, left: Sequence[Record], *, polled: int) -> None:
        """What the round did not come to is polled again, and polls become as small as rounds are slow."""
        if left:
            self._limit = max(1, polled - len(left))
            self._subscription.seek(self._positions.give_back(left))
        elif self._limit < BATCH and self._clock() < self._round_ends - ROUND_SECONDS / 2:
            self._limit = min(BATCH, self._limit * 2)

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

    def _process(self, records: Sequence[Record]) -> list[Record]:
        """Returns the records for which no time was left."""
        retried = [record for record in records if self._keys.is_retried(record)]
        fresh = [record for record in records if not self._keys.is_retried(record)]
        left: list[Record] = []
        for number, record in enumerate(retried):
            if self._is_over(begun=number > 0):
                left = retried[number:]
                break
            if not self._deferrals.takes(record):
                self._process_alone(record)
        self._keys.look_up(fresh)
        items = [item for record in fresh if (item := self._item(record))]
        settled = self._settle(items)
        if settled < len(items):
            first = items[settled].record
            left += fresh[next(number for number, record in enumerate(fresh) if record is first) :]
        return left

    def _item(self, record: Record) -> _Item | None:
        if self._keys.holds(record):
            return _Item(record)
        try:
            work = self._read(record)
        except InvalidEvent as error:
            return _Item(record, fault=error)
        return _Item(record, work) if work else None

    def _settle(self, items: Sequence[_Item]) -> int:
        """Applies them in pieces, each a transaction; a bad one is found and set apart. Returns how many are settled:
        applied, waiting for another try, or dead letters.
        """
        position, suspect, size = 0, -1, len(items)
        while position < len(items) and not self._is_over(begun=position > 0):
            end = self._end_of_piece(items, position, suspect, size)
            piece = [n for n in range(position, end) if items[n].work and not self._waits(items[n].record)]
            try:
                done = self._apply([work for n in piece if (work := items[n].work)])
            except ApplyFailed as failed:
                self._wait_if_nothing_works(failed.error)
                if len(piece) > 1:
                    if failed.position is None:
                        size = len(piece) // 2
                    else:
                        suspect = piece[failed.position]
                    continue
                self._failed(items[piece[0]].record, failed.error)
                done, size = 1, len(items)
            else:
                size = min(len(items), size * 2)
            reached = end if done == len(piece) else piece[done]
            tried = set(piece)
            self._pass_over([items[n] for n in range(position, reached) if n not in tried])
            position = reached
            if self._in_trouble > 1:
                break
        return position

    def _end_of_piece(self, items: Sequence[_Item], position: int, suspect: int, size: int) -> int:
        """A suspect is tried alone, and so is what can't be read on a strict topic: it parks its key."""
        end = position + 1 if position == suspect else min(position + size, len(items))
        if position < suspect:
            end = min(end, suspect)
        for number in range(position, end):
            if items[number].fault and self._keys.is_strict(items[number].record):
                return max(number, position + 1)
        return end

    def _waits(self, record: Record) -> bool:
        return self._deferrals.holds(record) or self._keys.holds(record)

    def _pass_over(self, items: Sequence[_Item]) -> None:
        """Records whose key waits or is parked, and those that can't be read."""
        letters = []
        for record, _, fault in items:
            if self._deferrals.takes(record):
                continue
            if self._keys.holds(record):
                if not self._keys.follow(record):
                    self._process_alone(record)
            elif fault:
                letters.append(failure_of(record, fault, attempts=1))
        if letters:
            self._keys.bury(letters)

    def _read(self, record: Record) -> Work | None:
        """The record as work for a handler, or None when nobody here asked for its type."""
        kind = record.header("ce_type")
        reaction = self._sources[record.topic].reaction_to(kind, record.header(ACCOMPANIES))
        if reaction is None and kind:
            return None
        envelope = Envelope.of(record)
        if reaction is None:
            raise InvalidEvent("the record has no type")
        return Work(record, envelope, decode(reaction.event, record.value), reaction)

    def _apply(self, works: Sequence[Work]) -> int:
        if not works:
            return 0
        done = self._batches.apply(works, self._stop)
        self._in_trouble = 0
        self._passed_at |= dict.fromkeys({work.envelope.type for work in works[:done]}, self._clock())
        return done

    # --- one record

    def _try_again(self, deferred: Deferred) -> None:
        """The head once more; when it is settled, those behind it, as long as they do not fail."""
        self._deferrals.remove(deferred)
        records = deferred.records
        self._process_alone(records.popleft(), deferred)
        while records:
            record = records.popleft()
            if self._deferrals.takes(record):
                continue
            if self._is_over():
                records.appendleft(record)
                self._deferrals.put_back(records, due=self._clock())
                return
            self._process_alone(record)

    def _process_alone(self, record: Record, earlier: Deferred | None = None) -> None:
        """Applies the record, buries it, or lets it wait for its next try."""
        try:
            if self._keys.takes(record):
                return
            if work := self._read(record):
                self._apply([work])
        except InvalidEvent as error:
            self._failed(record, error, earlier)
        except ApplyFailed as failed:
            self._wait_if_nothing_works(failed.error)
            self._failed(record, failed.error, earlier)

    def _failed(self, record: Record, error: Exception, earlier: Deferred | None = None) -> None:
        now = self._clock()
        before = earlier if earlier and earlier.attempts else Deferred(deque(), 0, now, 0, now, now)
        attempts, blamed = before.attempts + 1, before.blamed + self._is_to_blame(record, error, before.last)
        is_patient = not _is_retriable(error) or now - before.since >= PATIENCE_SECONDS
        if isinstance(error, InvalidEvent) or (blamed >= TRIES and is_patient):
            self._keys.bury([failure_of(record, error, attempts=attempts)])
            return
        self._in_trouble += attempts == 1 and _is_retriable(error)
        log.warning("try %d of %d failed: %s", attempts, TRIES, words_of(error), extra=fields_of(record))
        due = now + self._pause(attempts)
        self._deferrals.defer(record, attempts=attempts, due=due, blamed=blamed, since=before.since, last=now)

    def _is_to_blame(self, record: Record, error: Exception, last_try: float) -> bool:
        """Whether the error is the record's own, whatever its class says of it: PostgreSQL takes writes, which is known
        when this is asked, and what is not about PostgreSQL goes well for others of its type since its last try.
        """
        if not _is_retriable(error) or isinstance(error, DatabaseUnavailable):
            return True
        return self._passed_at.get(record.header("ce_type"), -1.0) >= last_try

    def _pause(self, attempts: int) -> float:
        return min(LONGEST_PAUSE_SECONDS, self._chance.uniform(0, PAUSE_SECONDS * 2 ** min(attempts, 10)))

    def _wait_if_nothing_works(self, error: Exception) -> None:
        """Where PostgreSQL takes no writes no record is to blame: then the whole consumer waits."""
        if _is_retriable(error):
            self._batches.require_writable()

    def _bury(self, failures: Sequence[Failure], sequences: Sequence[int]) -> None:
        publish_dead_letters(self._publisher, failures, sequences, group=self._group)

    # --- now and then

    def _upkeep(self) -> None:
        """Measures and cleans up. Neither stops the work: what failed is done the next time."""
        now = self._clock()
        DEFERRED.set(len(self._deferrals))
        try:
            LAG_RECORDS.set(self._subscription.lag())
            if now >= self._upkeep_at:
                self._upkeep_at = now + UPKEEP_SECONDS
                self._keys.measure()
            if now >= self._forget_at:
                self._forget_at = now + FORGET_EVERY_SECONDS
                self._forget(now)
        except DependencyUnavailable as error:
            log.warning("measuring and forgetting wait: %s", error)

    def _forget(self, now: float) -> None:
        """Keeps the inbox small: old rows guard against records that Kafka dropped long ago."""
        retention = self._retention()
        if retention is None:
            return
        with self._database.transaction() as session:
            removed = forget(session, self._group, older_than=retention)
        if removed >= FORGET_AT_ONCE:
            self._forget_at = now


def _is_retriable(error: Exception) -> bool:
    return bool(getattr(error, "retriable", False))
