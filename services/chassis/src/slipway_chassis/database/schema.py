"""The schema of a service: by migrations that any process can run, or by tables that are created if missing.

Migrations live in ``<service>/migrations`` inside the package, so that an image always carries those
it needs. Several versions of a service run side by side during a release; hence a schema *newer* than
this version is fine (changes expand first and contract later), an older one makes the process wait.
"""

from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect

from ..errors import DatabaseUnavailable
from ..lifecycle import Stop
from .availability import transient_as_unavailable
from .database import Database
from .migrating import alone, drop_invalid_indexes, with_patience


class Schema:
    """The schema that a version of a service needs, known by its migrations."""

    def __init__(self, database: Database, package: str) -> None:
        self._database = database
        self._config = Config()
        self._config.set_main_option("script_location", f"{package}:migrations")
        self._script = ScriptDirectory.from_config(self._config)
        self._seen_current = False

    def upgrade(self, stop: Stop | None = None) -> str:
        """Brings the schema to this version's head under a lock; tells in words what it did. While a table is locked by
        others it tries again. DatabaseUnavailable when the server does not answer, or ``stop`` is requested.
        """
        stop = stop or Stop()
        with transient_as_unavailable(), self._database.engine.connect() as connection, alone(connection, stop):
            return with_patience(lambda: self._upgrade(connection), connection, stop)

    def _upgrade(self, connection: Connection) -> str:
        before = self._revision(connection)
        if before == self._head:
            return f"the schema is at {before} already"
        if before is not None and not self._knows(before):
            return f"the schema is at {before}, newer than this version ({self._head}): left as it is"
        connection.commit()
        drop_invalid_indexes(connection)
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

    def upgrade(self, stop: Stop | None = None) -> str:
        """Creates the tables that are missing, under a lock; tells in words what it did. DatabaseUnavailable when the
        server does not answer, or ``stop`` is requested.
        """
        stop = stop or Stop()
        with transient_as_unavailable(), self._database.engine.connect() as connection, alone(connection, stop):
            return with_patience(lambda: self._create(connection), connection, stop)

    def _create(self, connection: Connection) -> str:
        for tables in self._sets:
            tables.create_all(connection)
        connection.commit()
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
    # Each is committed alone: a try that a lock broke off goes on where it was.
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
