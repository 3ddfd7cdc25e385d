"""How a migration waits: never in a transaction, and never long at the head of a queue that requests join."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from ..errors import DatabaseUnavailable
from ..lifecycle import Stop

log = logging.getLogger(__name__)

MIGRATION_LOCK = 0x51_1B_A7

# A statement that waits for a table lock has all later requests for the table wait behind it.
LOCK_TIMEOUT_MS = 2_000
PAUSE_SECONDS = 2.0  # until the next try: what queued behind the last one passes meanwhile
# It waits for old transactions and for nothing that requests need, so it may take its time.
_CONCURRENTLY = re.compile(
    r"\s*(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\b.*)\s+CONCURRENTLY\b", re.IGNORECASE | re.DOTALL
)
_LOCK_NOT_AVAILABLE, _DEADLOCK = "55P03", "40P01"

_TRY = text(
    "SELECT CASE WHEN coalesce(current_schema(), 'public') = 'public' THEN pg_try_advisory_lock(:key)"
    " ELSE pg_try_advisory_lock(:key, hashtext(current_schema())) END"
)
_SETTINGS = {"statement_timeout": "0", "lock_timeout": f"{LOCK_TIMEOUT_MS}"}
# An index that CONCURRENTLY began and did not finish; of partitioned tables it may be as it should.
_INVALID = text(
    "SELECT quote_ident(relname) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE NOT indisvalid AND relkind = 'i' AND relnamespace = to_regnamespace(quote_ident(current_schema()))"
    " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = indexrelid)"
)


@contextmanager
def alone(connection: Connection, stop: Stop) -> Iterator[None]:
    """Holds the lock of migrations for the block, on a connection that is thrown away after it. DatabaseUnavailable
    when ``stop`` is requested before it is had.
    """
    driver: Any = connection.connection.driver_connection
    ended = threading.Event()
    watch = threading.Thread(target=_cancel_on_stop, args=(driver, stop, ended), name="migration", daemon=True)
    try:
        for name, value in _SETTINGS.items():
            connection.execute(text("SELECT set_config(:name, :value, false)"), {"name": name, "value": value})
        connection.commit()
        _notice_a_client_that_is_gone(connection)
        event.listen(connection, "before_cursor_execute", _wait_longer_for_an_index)
        watch.start()
        _take(connection, stop)
        yield
    finally:
        ended.set()
        connection.invalidate()  # with it go the lock and the settings


def _take(connection: Connection, stop: Stop) -> None:
    attempts = 0
    while True:
        taken = connection.scalar(_TRY, {"key": MIGRATION_LOCK})
        connection.commit()  # an index that is built meanwhile would wait for this transaction
        if taken:
            return
        if attempts % 30 == 0:
            log.info("another process migrates this schema: waiting for it")
        attempts += 1
        if stop.wait(PAUSE_SECONDS / 4):
            raise DatabaseUnavailable("stopped while another process migrated the schema")


def with_patience(upgrade: Callable[[], str], connection: Connection, stop: Stop) -> str:
    """Runs ``upgrade``, again and again while a table is locked by others. DatabaseUnavailable when ``stop`` is
    requested.
    """
    while True:
        try:
            return upgrade()
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            if state not in {_LOCK_NOT_AVAILABLE, _DEADLOCK}:
                raise
            connection.rollback()
            log.warning(
                "the migration waits: a table is locked by another transaction (pg_stat_activity tells which). It lets "
                "requests pass and tries again in %g s",
                PAUSE_SECONDS,
            )
        if stop.wait(PAUSE_SECONDS):
            raise DatabaseUnavailable("stopped before the migration ended")


def drop_invalid_indexes(connection: Connection) -> None:
    """What an attempt left that was broken off: else each later one would find that the index exists."""
    names = connection.scalars(_INVALID).all()
    connection.commit()
    for name in names:
        log.warning("the index %s is invalid, since its building was broken off: it is dropped", name)
        connection.execute(text(f"DROP INDEX IF EXISTS {name}"))
        connection.commit()


def _notice_a_client_that_is_gone(connection: Connection) -> None:
    """Else a statement of a killed process stays in the queue for a lock, and requests behind it."""
    try:
        connection.execute(text("SET client_connection_check_interval = 2000"))
        connection.commit()
    except DBAPIError:  # before PostgreSQL 14, or on a system that can't
        connection.rollback()


def _wait_longer_for_an_index(
    connection: Connection, cursor: Any, statement: str, _parameters: object, _context: object, _many: object
) -> None:
    if _CONCURRENTLY.match(statement):
        cursor.execute("SET lock_timeout = 0")
        connection.info["slipway.lock_timeout"] = "0"
    elif connection.info.pop("slipway.lock_timeout", None):
        cursor.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")


def _cancel_on_stop(driver: Any, stop: Stop, ended: threading.Event) -> None:
    while not ended.is_set():
        if stop.wait(0.2) and not ended.is_set():
            driver.cancel_safe()
            time.sleep(0.2)
