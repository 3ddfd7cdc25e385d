"""How much waits in the outbox, measured beside the relay's work and never in its way.

However large the table is, a look ends within a fraction of a second; one that does not is given up, said once, and
tried again after a while. The relay goes on in either case.
"""

import logging
from collections.abc import Callable
from typing import Any

import psycopg
from prometheus_client import Gauge

log = logging.getLogger(__name__)

PENDING = Gauge(
    "outbox_pending", "Events in the outbox that Kafka has not acknowledged; above 10000 PostgreSQL's estimate"
)
OLDEST_AGE = Gauge("outbox_oldest_age_seconds", "Age of the oldest unsent event in the outbox, in seconds")

COUNTED = 10_000  # rows that are counted one by one
TIMEOUT_MS = 500
PAUSE_SECONDS = 30.0  # after a look that took too long

_COUNT = "SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT 10000) AS counted"
_ESTIMATE = "SELECT n_live_tup FROM pg_stat_all_tables WHERE relid = CAST('outbox' AS regclass)"
# By seq and not by time: the primary key finds it at once.
_OLDEST = "SELECT extract(epoch FROM clock_timestamp() - created_at) FROM outbox ORDER BY seq LIMIT 1"


class Measuring:
    """Keeps the gauges; ``clock`` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due = 0.0
        self._failed = False

    def measure(self, driver: "psycopg.Connection[tuple[Any, ...]]") -> None:
        """One look, on a connection in autocommit mode. Raises nothing: a connection that is lost, the next statement
        on it will tell.
        """
        if self._clock() < self._due:
            return
        try:
            pending, age = look_at_outbox(driver)
        except psycopg.Error as error:
            self._due = self._clock() + PAUSE_SECONDS
            log.log(logging.DEBUG if self._failed else logging.WARNING, "the outbox is measured later: %s", error)
            self._failed = True
            return
        self._failed = False
        PENDING.set(pending)
        OLDEST_AGE.set(age)


def look_at_outbox(driver: "psycopg.Connection[tuple[Any, ...]]") -> tuple[int, float]:
    """How many events wait (above COUNTED an estimate), and the age of the oldest in seconds. psycopg.Error when the
    look takes more than TIMEOUT_MS, or the connection is lost.
    """
    with driver.transaction():
        driver.execute(f"SET LOCAL statement_timeout = {TIMEOUT_MS}")
        oldest = driver.execute(_OLDEST).fetchone()
        pending = _number(driver, _COUNT)
        if pending >= COUNTED:
            pending = max(pending, _number(driver, _ESTIMATE))
    return pending, float(oldest[0]) if oldest else 0.0


def _number(driver: "psycopg.Connection[tuple[Any, ...]]", statement: str) -> int:
    found = driver.execute(statement.encode()).fetchone()
    return int(found[0]) if found else 0
