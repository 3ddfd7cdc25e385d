"""The database of a process: its engine, and one transaction per use case."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from ..errors import DatabaseUnavailable
from .availability import transient_as_unavailable
from .connections import engine_of
from .transactions import lending, lent_session

SHARDS_WRITTEN = "slipway.shards"  # in session.info: where this transaction wrote to the outbox


class Database:
    """One engine per process. Connects when first used, never at import or construction."""

    def __init__(self, url: SecretStr, *, application_name: str, pool_size: int = 10) -> None:
        self.engine = engine_of(url, application_name=application_name, pool_size=pool_size)
        self._lent = lending(self.engine)
        # Told after each commit that wrote to the outbox; see events.wakeup.
        self.on_outbox: Callable[[Iterable[int]], None] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Commits at the end of the block and rolls back on any error. Within the block nobody can end it: commit,
        rollback and close raise TransactionRefused; ``begin_nested`` is for what may fail. TransactionRefused also when
        a statement failed whose error was caught outside of a savepoint.
        """
        with transient_as_unavailable():
            with lent_session(self._lent) as session:
                yield session
            if self.on_outbox and (shards := session.info.get(SHARDS_WRITTEN)):
                self.on_outbox(shards)

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """A connection on which each statement is a transaction of its own."""
        with transient_as_unavailable(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def ping(self) -> None:
        """One statement there and back; DatabaseUnavailable when the server does not answer it, or can't write: then
        the connections to it are given up.
        """
        with transient_as_unavailable(), self.engine.connect() as connection:
            read_only = connection.scalar(text("SHOW transaction_read_only")) == "on"
        if read_only:
            self.engine.dispose()
            raise DatabaseUnavailable("PostgreSQL: the server is read-only: a standby, or one without room to write")

    def close(self) -> None:
        """Closes the pooled connections. Those in use are closed when their transaction ends."""
        self.engine.dispose()
