"""Sessions that are lent: who is handed one works in its transaction, and can't end it.

The transaction of a request, an event or a timer is the chassis': inbox, outbox and stored answers are rows of it. So
a commit by someone else is refused before it reaches PostgreSQL, by whichever way it comes, and so is ours when
PostgreSQL has given the transaction up: its COMMIT would be answered by a rollback, without an error.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol, TypeVar

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session, SessionTransaction

from ..errors import TransactionRefused

_ENDING = "slipway.ending"  # in a connection's info, while the chassis itself ends the transaction
_GAP = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_ENDS = r"(?:COMMIT|ABORT|ROLLBACK(?!\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b)|PREPARE\s+TRANSACTION)\b"
_BEGINS_WITH_END = re.compile(rf"{_GAP}(?:{_ENDS}|END\s*(?:WORK\b|TRANSACTION\b|AND\b|;|$))", re.IGNORECASE | re.DOTALL)
_HAS_END = re.compile(rf";{_GAP}{_ENDS}", re.IGNORECASE | re.DOTALL)
_CURE = "return, and it is committed; raise, and it is rolled back; for a part of it use session.begin_nested()"

ObjectT = TypeVar("ObjectT")


class SessionWatcher(Protocol):
    """What a session does that SQLAlchemy has no event for."""

    def merged(self, given: object, kept: object) -> None:
        """After ``session.merge(given)`` gave ``kept``."""

    def saving_in_bulk(self, objects: Iterable[object]) -> None:
        """Before ``session.bulk_save_objects(objects)``; what it raises is raised."""

    def committing(self, session: Session) -> None:
        """Before the commit, after the last flush; what it raises rolls back."""


WATCHERS: list[SessionWatcher] = []


class LentSession(Session):
    """A session whose transaction belongs to whoever opened it with ``Database.transaction``."""

    gave_up = False  # someone asked for a rollback

    def commit(self) -> NoReturn:
        """Raises TransactionRefused."""
        raise _not_yours("commit()")

    def rollback(self) -> NoReturn:
        """Raises TransactionRefused, and so does the commit, should someone swallow it."""
        self.gave_up = True
        raise _not_yours("rollback()")

    def close(self) -> NoReturn:
        """Raises TransactionRefused."""
        raise _not_yours("close()")

    def reset(self) -> NoReturn:
        """Raises TransactionRefused."""
        raise _not_yours("reset()")

    def invalidate(self) -> NoReturn:
        """Raises TransactionRefused."""
        raise _not_yours("invalidate()")

    def prepare(self) -> NoReturn:
        """Raises TransactionRefused."""
        raise _not_yours("prepare()")

    def merge(self, instance: ObjectT, **options: Any) -> ObjectT:
        """As SQLAlchemy's."""
        kept = super().merge(instance, **options)
        for watcher in WATCHERS:
            watcher.merged(instance, kept)
        return kept

    def bulk_save_objects(self, objects: Iterable[object], *options: Any, **named_options: Any) -> None:
        """As SQLAlchemy's."""
        saved = list(objects)
        for watcher in WATCHERS:
            watcher.saving_in_bulk(saved)
        super().bulk_save_objects(saved, *options, **named_options)


def _not_yours(how: str) -> TransactionRefused:
    return TransactionRefused(f"{how} in a transaction that was opened by Database.transaction: {_CURE}")


def lending(engine: Engine) -> Engine:
    """The same engine and pool for lent sessions: their connections are watched."""
    lent = engine.execution_options()
    event.listen(lent, "commit", _on_commit)
    event.listen(lent, "before_cursor_execute", _on_statement)
    return lent


@contextmanager
def lent_session(engine: Engine) -> Iterator[LentSession]:
    """A transaction of an engine that ``lending`` gave: committed at the end of the block, rolled back on any error.
    TransactionRefused when it can't be committed.
    """
    session = LentSession(engine, expire_on_commit=False)
    connections: list[Any] = []
    try:
        with session.begin() as transaction:
            yield session
            _require_going_on(session, transaction)
            session.flush()
            for watcher in WATCHERS:
                watcher.committing(session)
            connections = [connection.info for connection in transaction.connections]
            for info in connections:
                info[_ENDING] = True
    finally:
        for info in connections:
            info.pop(_ENDING, None)
        Session.close(session)


def _require_going_on(session: LentSession, transaction: SessionTransaction) -> None:
    if session.gave_up:
        raise TransactionRefused(f"someone called rollback() and went on: nothing is saved. Instead, {_CURE}")
    # SQLAlchemy would leave its block without a word.
    if not transaction.is_active:
        raise TransactionRefused(
            "a flush failed, or the transaction was ended, and the error was caught: nothing of it is saved. "
            "Put what may fail into: with session.begin_nested()"
        )


def _on_commit(connection: Connection) -> None:
    if _ENDING not in connection.info:
        # SQLAlchemy now believes the transaction ended, and might return the connection to the pool within it.
        connection.invalidate()
        raise _not_yours("a commit of its connection")
    driver: Any = connection.connection.driver_connection
    if driver.pgconn.transaction_status == TransactionStatus.INERROR:
        raise TransactionRefused(
            "a statement failed and the error was caught: PostgreSQL has given the transaction up, and nothing of it "
            "is saved. Put what may fail into: with session.begin_nested()"
        )


def _on_statement(
    _connection: Connection, _cursor: object, statement: str, _parameters: object, _context: object, _many: object
) -> None:
    if _BEGINS_WITH_END.match(statement) or (";" in statement and _HAS_END.search(statement)):
        raise _not_yours(f"{statement.strip()[:40]!r}")
