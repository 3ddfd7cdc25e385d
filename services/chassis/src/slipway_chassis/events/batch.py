"""Applies events: several in one transaction, for about a second of their handlers' time.

The limits around a transaction are in seconds: locks that others wait for, a session that idles while a handler asks
somebody else, the grace of a stop. So is its end. It ends earlier while others wait for its locks.

Which events were applied is written behind their effects, in the same transaction and for these events alone.
Whoever wrote one of them meanwhile was first: then everything is rolled back, and what is known by then is passed over.
"""

import logging
import time
from collections import Counter as Counted
from collections.abc import Callable, Sequence
from typing import NamedTuple

from prometheus_client import Counter, Gauge
from sqlalchemy import text
from sqlalchemy.orm import Session

from ..database import Database, transient_as_unavailable
from ..errors import DependencyUnavailable
from ..lifecycle import Stop
from ..telemetry.correlation import OpenSpan
from ..telemetry.logs import event_fields
from .inbox import claim, known_among
from .ports import Record
from .sources import Reaction
from .stream import Envelope

log = logging.getLogger(__name__)

CONSUMED = Counter("events_consumed_total", "Events applied", ["type"])
DUPLICATES = Counter("inbox_duplicates_total", "Duplicate events skipped by the inbox")
LAG_SECONDS = Gauge("consumer_lag_seconds", "Age of the last applied record when it was applied, in seconds")
HANDLER_SECONDS = Gauge("consumer_handler_running_seconds", "How long the handler at work has been running, in seconds")

LONGEST_SECONDS = 1.0  # of handlers' time in one transaction; the last handler may go beyond it
SHORTEST_SECONDS = 0.05
SLOW_SECONDS = 10.0  # a handler that takes longer is named in the log
AGAIN = 3  # tries, when another member of the group applies the same events

_OTHERS_WAIT = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
)


class Work(NamedTuple):
    """An event, read, and the handler that asked for it."""

    record: Record
    envelope: Envelope
    event: object
    reaction: Reaction


class ApplyFailed(Exception):
    """Nothing was applied. ``position``: of the event whose handler failed; None when the commit did."""

    def __init__(self, position: int | None, error: Exception) -> None:
        super().__init__(str(error))
        self.position = position
        self.error = error


class _AppliedElsewhere(DependencyUnavailable):
    """Another member of the group applied one of the events meanwhile."""


class Batches:
    """The transactions of one group, one after the other. ``clock`` in seconds."""

    def __init__(self, group: str, database: Database, clock: Callable[[], float]) -> None:
        self._group = group
        self._database = database
        self._clock = clock
        self._seconds = LONGEST_SECONDS
        self._handling_since: float | None = None
        HANDLER_SECONDS.set_function(self._handler_seconds)

    def apply(self, works: Sequence[Work], stop: Stop) -> int:
        """Applies the first of them, at least one, until their time is over or a stop is requested. Returns how many
        are applied now, those included that were so before; ApplyFailed when none is.
        """
        for tries_left in reversed(range(AGAIN)):
            try:
                return self._apply(works, stop)
            except ApplyFailed as failed:
                if not tries_left or not isinstance(failed.error, _AppliedElsewhere):
                    if getattr(failed.error, "retriable", False):
                        self._shorten()  # a lock that was not to be had, a deadlock: hold fewer at a time
                    raise
        raise AssertionError("not reached")

    def require_writable(self) -> None:
        """DatabaseUnavailable while PostgreSQL takes no writes: then what failed is not the event's fault."""
        with transient_as_unavailable(), self._database.engine.connect() as connection:
            connection.execute(
                text("INSERT INTO inbox (consumer_group, event_id) VALUES (:group, gen_random_uuid())"),
                {"group": self._group},
            )
            connection.rollback()

    def _apply(self, works: Sequence[Work], stop: Stop) -> int:
        applied: list[Work] = []
        position: int | None = None
        done, others_wait, began = 0, False, self._clock()
        try:
            with self._database.transaction() as session:
                known = known_among(session, self._group, [work.envelope.id for work in works])
                for work in works:
                    if work.envelope.id not in known:
                        position = done
                        self._handle(session, work)
                        known.add(work.envelope.id)  # the same event may stand twice in one batch
                        applied.append(work)
                    done += 1
                    if stop.requested or self._clock() - began >= self._seconds:
                        break
                position = None
                self._remember(session, applied)
                others_wait = self._clock() - began >= SHORTEST_SECONDS and bool(session.scalar(_OTHERS_WAIT))
        except Exception as error:
            raise ApplyFailed(position, error) from error
        if others_wait:
            self._shorten()
        else:
            self._seconds = min(LONGEST_SECONDS, self._seconds * 2)
        _count(applied, duplicates=done - len(applied))
        _tell(applied, duplicates=done - len(applied))
        LAG_SECONDS.set(max(0.0, time.time() - works[done - 1].record.timestamp_ms / 1000))
        return done

    def _remember(self, session: Session, applied: Sequence[Work]) -> None:
        if len(claim(session, self._group, [work.envelope.id for work in applied])) < len(applied):
            raise _AppliedElsewhere("another member of the group applies the same events")

    def _shorten(self) -> None:
        self._seconds = max(SHORTEST_SECONDS, self._seconds / 2)

    def _handle(self, session: Session, work: Work) -> None:
        # Without a block: a generator for each event would cost as much as reading it.
        opened = OpenSpan(f"process {work.envelope.type}", kind="consumer", parent=work.envelope.traceparent)
        began = self._handling_since = self._clock()
        try:
            work.reaction.handler(session, work.event, work.envelope)
            session.flush()  # here, so that what it writes and what fails belongs to this event
        except BaseException as error:
            opened.close(error)
            if isinstance(error, Exception | KeyboardInterrupt):
                raise
            raise RuntimeError(f"the handler raised {type(error).__name__}") from error  # such as sys.exit()
        finally:
            self._handling_since = None
            if (seconds := self._clock() - began) >= SLOW_SECONDS:
                log.warning("the handler of %s took %.0f s for %s", work.envelope.type, seconds, work.envelope.id)
        opened.close()

    def _handler_seconds(self) -> float:
        since = self._handling_since
        return 0.0 if since is None else max(0.0, self._clock() - since)


def _count(applied: Sequence[Work], *, duplicates: int) -> None:
    if duplicates:
        DUPLICATES.inc(duplicates)
    for kind, count in Counted(work.envelope.type for work in applied).items():
        CONSUMED.labels(kind).inc(count)


def _tell(applied: Sequence[Work], *, duplicates: int) -> None:
    log.info("%d events were applied, %d known before", len(applied), duplicates)
    if log.isEnabledFor(logging.DEBUG):
        for work in applied:
            event, record = work.envelope, work.record
            log.debug(
                "applied %s of %s from %s:%d:%d",
                event.type,
                event.subject,
                record.topic,
                record.partition,
                record.offset,
                extra=event_fields(event.id, event.type, event.subject, event.traceparent),
            )
