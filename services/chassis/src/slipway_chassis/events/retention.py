"""What outbox, inbox and stored answers need not keep. The outbox needs nothing: what was sent is deleted."""

import logging
import threading
from datetime import timedelta

from sqlalchemy import ColumnElement, Table, delete, func, select, tuple_
from sqlalchemy.orm import Session

from ..database import Database
from ..errors import DatabaseUnavailable
from ..lifecycle import Stop
from .tables import idempotency_keys

log = logging.getLogger(__name__)
FORGET_EVERY_SECONDS = 600.0

# Longer than any client goes on trying.
IDEMPOTENCY_RETENTION = timedelta(hours=24)
FORGET_AT_ONCE = 5_000  # rows in one statement: short locks, small transactions


def forget_rows(session: Session, table: Table, *old: ColumnElement[bool]) -> int:
    """Removes at most FORGET_AT_ONCE of the rows, passing over those that others hold; returns how many."""
    key = list(table.primary_key.columns)
    found = select(*key).where(*old).limit(FORGET_AT_ONCE).with_for_update(skip_locked=True)
    return len(session.execute(delete(table).where(tuple_(*key).in_(found)).returning(key[0])).all())


def forget_idempotency_keys(session: Session, *, older_than: timedelta = IDEMPOTENCY_RETENTION) -> int:
    """Removes some of the answers that are older; returns how many. Call again while there are many."""
    return forget_rows(session, idempotency_keys, idempotency_keys.c.created_at < func.now() - older_than)


def forget_now_and_then(database: Database, *, seconds: float = FORGET_EVERY_SECONDS, stop: Stop | None = None) -> None:
    """Removes old answers every ten minutes (``seconds``), in a thread of the process that stores them; until
    ``stop`` is requested.
    """
    stop = stop or Stop()

    def run() -> None:
        while not stop.requested:
            removed = 0
            try:
                with database.transaction() as session:
                    removed = forget_idempotency_keys(session)
            except DatabaseUnavailable as error:
                log.info("old answers are forgotten later: %s", error)
            except Exception as error:  # noqa: BLE001 # whatever one run meets, the next may not: tables come by and by
                log.warning("old answers are forgotten later: %s: %s", type(error).__name__, error)
            if removed < FORGET_AT_ONCE:
                stop.wait(seconds)

    threading.Thread(target=run, name="retention", daemon=True).start()
