"""PostgreSQL: the engine, one transaction per use case, and migrations that any process can run.

Migrations live in ``<service>/migrations`` inside the package, so that an image always carries those
it needs. Several versions of a service run side by side during a release; hence a schema *newer* than
this version is fine (changes expand first and contract later), an older one makes the process wait.
"""

import select
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, MetaData, PoolProxiedConnection, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from .errors import DatabaseUnavailable

# A request that waits longer than this for a statement has lost its caller anyway.
STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 5_000
SHARDS_WRITTEN = "slipway.shards"  # in session.info: where this transaction wrote to the outbox
MIGRATION_LOCK = 0x51_1B_A7

_SESSION = {
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": LOCK_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": 60_000,
    # A host that lost power sends no farewell: without these the server keeps its locks for two hours.
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}
# The same for our side: a server that vanished is noticed within half a minute.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}

# What psycopg raises when the server is away, restarts, or breaks off a deadlock: all pass with time.
_TRANSIENT = (OperationalError, InterfaceError, PoolTimeout)
# Errors of other classes that pass as well: a server that is read-only for now (a fail-over, a full
# disk), and a session that was ended for idling in a transaction.
_TRANSIENT_STATES = {"25006", "25P03"}
# An operational error by its class that no waiting mends: too large for an index, too many columns.
_LIMITS = "54"


class Database:
    """One engine per process. Connects when first used, never at import or construction."""

    def __init__(self, url: SecretStr, *, application_name: str, pool_size: int = 10) -> None:
        self.engine = create_engine(
            url.get_secret_value(),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            hide_parameters=True,  # values of a statement have no place in logs and dead letters
            connect_args={
                "connect_timeout": 5,
                "application_name": application_name,
                "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
                **_KEEPALIVE,
            },
        )
        check_at_checkout(self.engine)
        # Told after each commit that wrote to the outbox; see events.wakeup.
        self.on_outbox: Callable[[Iterable[int]], None] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Commits at the end of the block and rolls back on any error."""
        with (
            transient_as_unavailable(),
            Session(self.engine, expire_on_commit=False) as session,
        ):
            with session.begin():
                yield session
            if self.on_outbox and (shards := session.info.get(SHARDS_WRITTEN)):
                self.on_outbox(shards)

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """A connection on which each statement is a transaction of its own."""
        with transient_as_unavailable(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def ping(self) -> None:
        """One statement there and back; DatabaseUnavailable when the server does not answer it."""
        with transient_as_unavailable(), self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Closes the pooled connections. Those in use are closed when their transaction ends."""
        self.engine.dispose()


IDLE_SECONDS = 5.0  # after that a host may have vanished without a word


def check_at_checkout(engine: Engine) -> None:
    """Notices connections that died in the pool, so that a restarted server costs no request.

    A server that ends a connection sends something: data to read on an idle connection is a reason to ask.
    Asking each time (SQLAlchemy's pool_pre_ping) would cost a tenth of a small request.
    """

    def checkin(_connection: object, record: PoolProxiedConnection) -> None:
        record.info["idle_since"] = time.monotonic()

    def checkout(connection: Any, record: PoolProxiedConnection, _proxy: object) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None:
            return
        if time.monotonic() - idle_since < IDLE_SECONDS and not _has_something_to_read(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise DisconnectionError from None  # the pool throws away all of its age and connects anew

    event.listen(engine, "checkin", checkin)
    event.listen(engine, "checkout", checkout)


def _has_something_to_read(connection: "psycopg.Connection[object]") -> bool:
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


@contextmanager
def transient_as_unavailable() -> Iterator[None]:
    """Wraps what the driver says of an unreachable or restarting server."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        original = getattr(error, "orig", None)
        state = getattr(original, "sqlstate", None) or ""
        if state.startswith(_LIMITS) or not (isinstance(error, _TRANSIENT) or state in _TRANSIENT_STATES):
            raise
        reason = str(original or error).strip().splitlines()[0]
        raise DatabaseUnavailable(f"PostgreSQL: {reason}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:  # from the driver itself
        raise DatabaseUnavailable(f"PostgreSQL: {str(error).strip().splitlines()[0]}") from error


class Schema:
    """The schema that a version of a service needs, known by its migrations."""

    def __init__(self, database: Database, package: str) -> None:
        self._database = database
        self._config = Config()
        self._config.set_main_option("script_location", f"{package}:migrations")
        self._script = ScriptDirectory.from_config(self._config)
        self._seen_current = False

    def upgrade(self) -> str:
        """Brings the schema to this version's head under a lock; tells in words what it did."""
        with transient_as_unavailable(), self._database.engine.connect() as connection:
            connection.execute(text("SELECT set_config('statement_timeout', '0', false)"))
            connection.execute(text("SELECT set_config('lock_timeout', '0', false)"))
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()
            try:
                return self._upgrade(connection)
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
                connection.commit()
                connection.invalidate()  # the settings above must not come back from the pool

    def _upgrade(self, connection: Connection) -> str:
        before = self._revision(connection)
        if before == self._head:
            return f"the schema is at {before} already"
        if before is not None and not self._knows(before):
            return f"the schema is at {before}, newer than this version ({self._head}): left as it is"
        connection.commit()
        self._config.attributes["connection"] = connection
        command.upgrade(self._config, "head")
        return f"the schema went from {before or 'nothing'} to {self._head}"

    def check(self) -> None:
        """Raises DatabaseUnavailable while the schema is older than this version needs."""
        if self._seen_current:
            return
        with transient_as_unavailable(), self._database.engine.connect() as connection:
            revision = self._revision(connection)
        if revision is None or (revision != self._head and self._knows(revision)):
            raise DatabaseUnavailable(f"PostgreSQL: the schema is at {revision or 'nothing'}, needs {self._head}")
        self._seen_current = True

    def usable(self) -> None:
        """The readiness check of every process: the server answers and its schema fits."""
        self._database.ping()
        self.check()

    @property
    def _head(self) -> str | None:
        return self._script.get_current_head()

    def _knows(self, revision: str) -> bool:
        return any(known.revision == revision for known in self._script.walk_revisions())

    @staticmethod
    def _revision(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()


class Tables:
    """The schema of a service without migrations yet: sets of tables, its own and the chassis', created if missing."""

    def __init__(self, database: Database, *sets: MetaData) -> None:
        self._database = database
        self._sets = sets
        self._seen = False

    def upgrade(self) -> str:
        """Creates the tables that are missing, under a lock; tells in words what it did. DatabaseUnavailable when the
        server does not answer.
        """
        with transient_as_unavailable(), self._database.engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            for tables in self._sets:
                tables.create_all(connection)
        return "missing tables were created; existing ones are left as they are"

    def usable(self) -> None:
        """Raises DatabaseUnavailable while a table is missing."""
        self._database.ping()
        self.check()

    def check(self) -> None:
        """Raises DatabaseUnavailable while a table is missing. Once all were seen it asks no more."""
        if self._seen:
            return
        with transient_as_unavailable(), self._database.engine.connect() as connection:
            there = set(inspect(connection).get_table_names())
        missing = sorted({name for tables in self._sets for name in tables.tables} - there)
        if missing:
            raise DatabaseUnavailable(f"PostgreSQL: tables are missing: {', '.join(missing)}")
        self._seen = True


def run_migrations() -> None:
    """The body of every service's ``migrations/env.py``."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
