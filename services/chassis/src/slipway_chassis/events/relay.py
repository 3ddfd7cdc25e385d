"""The relay: a process that moves rows of the outbox to Kafka, in order per aggregate, losing none.

A round reads the oldest rows of the owned shards, as many as fit in memory, publishes them, and deletes those that
were acknowledged. A crash between the last two sends a row again: the inbox of each consumer drops it. A row that
was acknowledged and can't be deleted is remembered: it is deleted before anything else is read.
Between rounds the relay listens for wakeups (``wakeup``) and polls now and then, should one be lost.
"""

import logging
import time
from collections import Counter as Counted
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import psycopg
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy import Connection, text

from ..database import Database, transient_as_unavailable
from ..errors import ChassisError, DependencyUnavailable, PublishFailed
from ..lifecycle import Stop
from ..telemetry.correlation import current_traceparent, span
from ..telemetry.logs import event_fields
from .outbox_size import Measuring
from .ports import Publisher, Record
from .shards import Shards
from .stream import wire_headers
from .wakeup import channel_of, shards_of

log = logging.getLogger(__name__)

PUBLISH_SECONDS = Histogram(
    "outbox_publish_seconds", "Time from an event's transaction to Kafka's acknowledgement, in seconds"
)
PUBLISHED = Counter("outbox_published_total", "Events acknowledged by Kafka", ["topic"])
FAILED = Counter("outbox_publish_failures_total", "Publish attempts that Kafka did not acknowledge", ["topic"])
SHARDS_OWNED = Gauge("outbox_shards_owned", "Outbox shards owned by this relay")

BATCH = 500
BATCH_BYTES = 4 * 1024 * 1024  # of payloads and ids in one round; the last row may go beyond it
# Both clients refuse more than a megabyte, whatever the topic takes: such a payload need not be read to be refused.
LARGEST_PAYLOAD = 1024 * 1024
BUSY_WAIT, IDLE_WAIT = 0.02, 0.5  # seconds between rounds: short while there is work, longer when not
UPKEEP_SECONDS = 2.0  # how often shards are shared out anew and the gauges read
MEASURED = 20  # events of a batch whose latency is noted: the oldest come first
LAST_ROUNDS = 10  # a batch of the consumer beside it writes fewer events than these can send
HOLD_SECONDS = 5.0  # a key whose event was refused waits this long; other keys go on


# PostgreSQL writes ids and times as text, as they stand in the headers: parsing them here only to write
# them again would cost more than the rest of a row. The DELETE of nothing asks whether deleting works now: it fails
# as the real one would, before anything was sent, where the server is read-only or the table is locked.
_READ = (
    "WITH deletable AS (DELETE FROM outbox WHERE false), oldest AS ("
    "SELECT *, octet_length(payload) > %s AS oversized,"
    " sum(least(octet_length(payload), %s) + octet_length(aggregate_id)) OVER (ORDER BY seq) AS total_bytes FROM ("
    "SELECT * FROM outbox WHERE shard = ANY(%s) AND aggregate_id <> ALL(%s) ORDER BY seq LIMIT %s) AS owned)"
    " SELECT seq, CAST(event_id AS text), topic, aggregate_id, aggregate_version, type, source,"
    " traceparent, CASE WHEN NOT oversized THEN payload END,"
    " to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"'),"
    " CAST(extract(epoch FROM created_at) AS float8)"
    " FROM oldest WHERE total_bytes - least(octet_length(payload), %s) - octet_length(aggregate_id) < %s ORDER BY seq"
)
_DELETE = text("DELETE FROM outbox WHERE seq = ANY(:acked)")


class OutboxRow(NamedTuple):
    """A row as the relay reads it: a plain tuple, since there may be many thousands a second."""

    seq: int
    event_id: str
    topic: str
    aggregate_id: str
    aggregate_version: int
    type: str
    source: str
    traceparent: str | None
    payload: str | None  # None: more than ``LARGEST_PAYLOAD``
    created_at: str
    created: float  # the same, in seconds since 1970


class Relay:
    """``run`` until a stop is requested; safe to run in any number of processes."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        sends_the_rest: bool = False,
        companions: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``sends_the_rest``: a stop ends it only when what its shards had until then was sent, or could not be.
        ``companions``: those of all streams, see ``Stream``.
        """
        self._database = database
        self._publisher = publisher
        self._sends_the_rest = sends_the_rest
        self._companions = companions or {}
        self._clock = clock
        self._held: dict[str, float] = {}  # aggregate id → when it may be tried again
        self._suspects: set[str] = set()  # aggregate ids whose last event was refused
        self._acked: list[int] = []  # seqs that Kafka has acknowledged and PostgreSQL still has
        self._measuring = Measuring(clock)

    def run(self, stop: Stop) -> None:
        """Relays until stopped. A lost database connection gives up the shards and begins anew."""
        while not stop.requested:
            try:
                with transient_as_unavailable(), self._database.engine.connect() as connection:
                    self._session(connection.execution_options(isolation_level="AUTOCOMMIT"), stop)
            except DependencyUnavailable as error:
                log.warning("the relay waits: %s", error)
                stop.wait(1.0)
        SHARDS_OWNED.set(0)

    def _session(self, connection: Connection, stop: Stop) -> None:
        try:
            wakeups = _Wakeups(connection)
            shards = Shards(connection)
            upkeep_due, wait = 0.0, BUSY_WAIT
            while not stop.requested:
                if self._clock() >= upkeep_due:
                    self._upkeep(connection, shards)
                    upkeep_due = self._clock() + UPKEEP_SECONDS
                sent = self.round(connection, shards.owned)
                if sent >= BATCH:
                    continue
                # What was committed since the round's look has left a wakeup: this returns at once then.
                woken = wakeups.wait(shards.owned, wait, stop)
                wait = BUSY_WAIT if sent or woken else min(wait * 2, IDLE_WAIT)
            if self._sends_the_rest:
                self._last_rounds(connection, shards.owned)
        finally:
            connection.invalidate()  # ends the session, and with it every advisory lock

    def _last_rounds(self, connection: Connection, shards: set[int]) -> None:
        """Others may go on writing, so their number has a limit; and a broker that is away is not waited for. A key
        that it refuses holds up nobody else.
        """
        for _ in range(LAST_ROUNDS):
            if any(key not in self._suspects for key in self._held) or self.round(connection, shards) < BATCH:
                return

    def _upkeep(self, connection: Connection, shards: Shards) -> None:
        shards.rebalance()
        SHARDS_OWNED.set(len(shards.owned))
        self._measuring.measure(_driver(connection))

    def round(self, connection: Connection, shards: set[int]) -> int:
        """One read, publish, delete. Returns how many rows were acknowledged."""
        self._delete_acked(connection)
        rows = self._read(connection, shards)
        acked = 0
        try:
            for wave in waves(rows):
                for group in self._apart(wave):
                    published = self._publish(group)
                    self._acked += published
                    acked += len(published)
        finally:
            self._delete_acked(connection)
            if acked:
                log.info("%d of %d events were sent", acked, len(rows))
        return acked

    def _read(self, connection: Connection, shards: set[int]) -> list[OutboxRow]:
        bounds = (LARGEST_PAYLOAD, LARGEST_PAYLOAD, list(shards), self._still_held(), BATCH)
        # The driver itself: SQLAlchemy's rows would cost a tenth of sending them.
        found = _driver(connection).execute(_READ, (*bounds, LARGEST_PAYLOAD, BATCH_BYTES), binary=True)
        return [OutboxRow._make(row) for row in found.fetchall()]

    def _delete_acked(self, connection: Connection) -> None:
        """What can't be deleted now stays remembered; until it is gone, nothing is read, and so nothing sent again."""
        if self._acked:
            connection.execute(_DELETE, {"acked": self._acked})
            self._acked = []

    def _apart(self, rows: Sequence[OutboxRow]) -> list[list[OutboxRow]]:
        """Rows of keys that were refused before go alone: a refusal can take along what is sent with it. Those
        of held keys stay.
        """
        if not self._held and not self._suspects:
            return [list(rows)]
        rows = [row for row in rows if row.aggregate_id not in self._held]
        healthy = [row for row in rows if row.aggregate_id not in self._suspects]
        suspects = [[row] for row in rows if row.aggregate_id in self._suspects]
        return [group for group in (healthy, *suspects) if group]

    def _still_held(self) -> list[str]:
        now = self._clock()
        self._held = {key: until for key, until in self._held.items() if until > now}
        return list(self._held)

    def _publish(self, rows: Sequence[OutboxRow]) -> list[int]:
        outcomes = self._outcomes(rows)
        acked = [row for row, failure in zip(rows, outcomes, strict=True) if failure is None]
        for topic, count in Counted(row.topic for row in acked).items():
            PUBLISHED.labels(topic).inc(count)
        now = time.time()
        for row in acked[:MEASURED]:
            PUBLISH_SECONDS.observe(max(0.0, now - row.created))
        if log.isEnabledFor(logging.DEBUG):
            _tell_each(acked)
        if self._suspects:
            self._suspects.difference_update(row.aggregate_id for row in acked)
        if len(acked) < len(rows):
            for row, failure in zip(rows, outcomes, strict=True):
                if failure is not None:
                    self._hold(row, failure)
        return [row.seq for row in acked]

    def _outcomes(self, rows: Sequence[OutboxRow]) -> list[PublishFailed | None]:
        if all(row.payload is not None for row in rows):
            return self._publisher.publish(self._records_of(rows))
        refused = PublishFailed(f"its payload is larger than {LARGEST_PAYLOAD} bytes", retriable=False)
        sent = iter(self._publisher.publish(self._records_of([row for row in rows if row.payload is not None])))
        return [refused if row.payload is None else next(sent) for row in rows]

    def _records_of(self, rows: Sequence[OutboxRow]) -> list[Record]:
        return [record_of(row, self._companions.get(row.type, "")) for row in rows]

    def _hold(self, row: OutboxRow, failure: ChassisError) -> None:
        """Keeps this key's later events behind the refused one; they stay in the outbox."""
        self._held[row.aggregate_id] = self._clock() + HOLD_SECONDS
        if not failure.retriable:
            self._suspects.add(row.aggregate_id)
        FAILED.labels(row.topic).inc()
        level = logging.WARNING if failure.retriable else logging.ERROR
        log.log(
            level,
            "event %s (%s) of %s is held: %s",
            row.event_id,
            row.type,
            row.aggregate_id,
            failure,
            extra=event_fields(row.event_id, row.type, row.aggregate_id, row.traceparent),
        )


def _tell_each(rows: Sequence[OutboxRow]) -> None:
    for row in rows:
        log.debug(
            "sent %s of %s to %s",
            row.type,
            row.aggregate_id,
            row.topic,
            extra=event_fields(row.event_id, row.type, row.aggregate_id, row.traceparent),
        )


def waves(rows: Sequence[OutboxRow]) -> list[list[OutboxRow]]:
    """Splits rows so that each wave has one row per aggregate, in order.

    A row is sent only after its predecessor was acknowledged: were both in flight, the first could
    fail and the second arrive.
    """
    if len({row.aggregate_id for row in rows}) == len(rows):
        return [list(rows)] if rows else []
    seen: dict[str, int] = defaultdict(int)
    result: list[list[OutboxRow]] = []
    for row in rows:
        number = seen[row.aggregate_id]
        seen[row.aggregate_id] += 1
        if number == len(result):
            result.append([])
        result[number].append(row)
    return result


def record_of(row: OutboxRow, accompanies: str = "") -> Record:
    traceparent = row.traceparent
    if traceparent and traceparent.endswith("1"):  # sampled: the way through Kafka is part of the trace
        with span(f"publish {row.type}", kind="producer", parent=traceparent):
            traceparent = current_traceparent()
    headers = wire_headers(
        event_id=row.event_id,
        kind=row.type,
        source=row.source,
        subject=row.aggregate_id,
        time=row.created_at,
        version=row.aggregate_version,
        traceparent=traceparent,
        accompanies=accompanies,
    )
    return Record(topic=row.topic, key=row.aggregate_id.encode(), value=(row.payload or "").encode(), headers=headers)


def _driver(connection: Connection) -> "psycopg.Connection[tuple[Any, ...]]":
    return cast("psycopg.Connection[tuple[Any, ...]]", connection.connection.driver_connection)


class _Wakeups:
    """Listens on the relay's own connection to PostgreSQL."""

    def __init__(self, connection: Connection) -> None:
        connection.execute(text(f"LISTEN {channel_of(connection)}"))
        self._driver = _driver(connection)

    def wait(self, shards: set[int], seconds: float, stop: Stop) -> bool:
        """Whether one of the shards was named within ``seconds``."""
        end = time.monotonic() + seconds
        while not stop.requested and (left := end - time.monotonic()) > 0:
            for wakeup in self._driver.notifies(timeout=left, stop_after=1):
                if shards_of(wakeup.payload) & shards:
                    return True
        return False
