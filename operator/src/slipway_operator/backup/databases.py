"""Databases of a backup: dumped at one moment, restored beside the live one, counted, renamed. The thin edge.

``pg_dump`` and ``pg_restore`` are those of the server that ``slipway up`` runs. A dump is restored by the role of its
service, which can do no more than the service can, since a backup may come from elsewhere.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from slipway_chassis.embedded.postgresql import programs
from slipway_chassis.errors import DatabaseUnavailable

from ..errors import BackupError, BackupUnusable
from .folder import CHUNK
from .manifest import DatabaseDump
from .rows import differences

SUPERUSER = "postgres"
CONNECT_SECONDS = 5
LAST_WORDS = 2000
LOCK_WAIT = "30s"
_OF_OTHERS = (
    "SELECT DISTINCT tableowner FROM pg_tables WHERE tableowner <> current_user"
    " AND schemaname <> 'information_schema' AND schemaname !~ '^pg_' ORDER BY 1"
)
_TABLES = (
    "SELECT schemaname, tablename FROM pg_tables"
    " WHERE schemaname <> 'information_schema' AND schemaname !~ '^pg_' ORDER BY 1, 2"
)


class Server(Protocol):
    """Where databases are."""

    def url(self, database: str, role: str = SUPERUSER, /) -> str:
        """As libpq takes it, with the password."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one transaction sees, and pg_dump with it. ``lsn``: where the write-ahead log was."""

    key: str
    moment: datetime
    lsn: str
    rows: dict[str, int]


@contextmanager
def connected(url: str, *, autocommit: bool = True) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """DatabaseUnavailable when the server is away or breaks off."""
    try:
        with psycopg.connect(url, autocommit=autocommit, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"PostgreSQL: {str(error).strip() or type(error).__name__}") from error


class Databases:
    """Of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    # --- looking
    def exists(self, database: str) -> bool:
        with connected(self._server.url("postgres")) as connection:
            return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone())

    def bytes_of(self, database: str) -> int:
        """On the disk; 0 when there is none."""
        with connected(self._server.url("postgres")) as connection:
            found = connection.execute(
                "SELECT pg_database_size(oid) FROM pg_database WHERE datname = %s", [database]
            ).fetchone()
        return int(str(found[0])) if found else 0

    def rows(self, database: str) -> dict[str, int]:
        """Of each table, by schema.table."""
        with connected(self._server.url(database)) as connection:
            return _counted(connection)

    def mark(self, database: str) -> str:
        """What a restore wrote beside it; empty where none did."""
        with connected(self._server.url("postgres")) as connection:
            found = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [database]
            ).fetchone()
        return str(found[0] or "") if found else ""

    def now(self) -> datetime:
        """PostgreSQL's time, which moments are of."""
        with connected(self._server.url("postgres")) as connection:
            return _moment(connection.execute("SELECT clock_timestamp()").fetchone())

    # --- dumping
    @contextmanager
    def snapshot(self, database: str) -> Iterator[Snapshot]:
        """One moment, which stays while the block runs."""
        with connected(self._server.url(database), autocommit=False) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_WAIT)))
            found = connection.execute(
                "SELECT clock_timestamp(), pg_current_wal_lsn()::text, pg_export_snapshot()"
            ).fetchone()
            assert found  # noqa: S101 # a SELECT without FROM has one row
            yield Snapshot(str(found[2]), _moment(found), str(found[1]), _counted(connection))

    def dump(self, database: str, snapshot: Snapshot) -> Iterator[bytes]:
        """Chunks of pg_dump's custom format, compressed; BackupError with its last words when it fails."""
        command = ["--format=custom", f"--snapshot={snapshot.key}", f"--lock-wait-timeout={LOCK_WAIT}"]
        with tempfile.TemporaryFile() as said:
            process = self._start("pg_dump", command, said, self._server.url(database), stdout=subprocess.PIPE)
            assert process.stdout  # noqa: S101 # asked for above
            try:
                while chunk := process.stdout.read(CHUNK):
                    yield chunk
            except BaseException:
                process.kill()
                raise
            finally:
                process.stdout.close()
                code = process.wait()
            if code:
                raise BackupError(f"pg_dump of {database} failed: {_words(said)}")

    # --- restoring
    def restored(self, dump: DatabaseDump, file: Path, database: str, *, owner: str) -> None:
        """Makes ``database`` from the dump, whatever a former try left of it, and compares its rows. BackupUnusable
        when the dump can't be restored, or gives other rows.
        """
        self.drop(database)
        name, role = sql.Identifier(database), sql.Identifier(owner)
        with connected(self._server.url("postgres")) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, role))
        self._fill(file, self._server.url(database, owner))
        self._require_rows(dump, file, database)

    def refilled(self, dump: DatabaseDump, file: Path, database: str) -> None:
        """In place: what the role has in ``database`` goes, and what the dump has comes. Both are not one step: a
        database that was left empty is filled by the same call. Errors as of ``restored``, and BackupError while
        somebody else is connected, or has tables there.
        """
        with connected(self._server.url(database)) as connection:
            _require_alone_in(connection)
            _require_owner(connection)
            connection.execute("DROP OWNED BY CURRENT_USER CASCADE")
        self._fill(file, self._server.url(database))
        self._require_rows(dump, file, database)

    def _fill(self, file: Path, url: str) -> None:
        command = ["--exit-on-error", "--single-transaction", "--no-owner", str(file)]
        with tempfile.TemporaryFile() as said:
            process = self._start("pg_restore", command, said, url, stdout=subprocess.DEVNULL)
            try:
                code = process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
            if code:
                raise BackupUnusable(f"{file.name} can't be restored: {_words(said)}")

    def _require_rows(self, dump: DatabaseDump, file: Path, database: str) -> None:
        if told := differences(dump.rows, self.rows(database)):
            raise BackupUnusable(f"{file.name} gives other rows than were counted: {'; '.join(told)}")

    def drop(self, database: str) -> None:
        with connected(self._server.url("postgres")) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def swap(self, restored: str, live: str, *, before: str, mark: str) -> None:
        """``restored`` becomes ``live``, which is kept as ``before``: both or none. Whoever finds ``mark`` knows that
        it is done. BackupError while somebody is connected to one of them.
        """
        names = {"restored": restored, "live": live, "before": before}
        quoted = {key: sql.Identifier(name) for key, name in names.items()}
        is_there = self.exists(live)
        self._require_alone(live, restored)
        with connected(self._server.url("postgres"), autocommit=False) as connection:
            connection.execute(
                sql.SQL("COMMENT ON DATABASE {restored} IS {mark}").format(**quoted, mark=sql.Literal(mark))
            )
            if is_there:
                connection.execute(sql.SQL("ALTER DATABASE {live} RENAME TO {before}").format(**quoted))
            connection.execute(sql.SQL("ALTER DATABASE {restored} RENAME TO {live}").format(**quoted))

    def _require_alone(self, *databases: str) -> None:
        with connected(self._server.url("postgres")) as connection:
            found = connection.execute(
                "SELECT DISTINCT datname, coalesce(nullif(application_name, ''), 'somebody') FROM pg_stat_activity"
                " WHERE datname = ANY(%s) AND backend_type = 'client backend'",
                [list(databases)],
            ).fetchall()
        if found:
            who = ", ".join(f"{application} (to {database})" for database, application in found)
            raise BackupError(f"{who} is connected still: end that, then run the same command again")

    @staticmethod
    def _start(
        program: str, arguments: list[str], said: IO[bytes], url: str, *, stdout: int
    ) -> subprocess.Popen[bytes]:
        """The password is no argument, which others can read."""
        place = conninfo_to_dict(url, connect_timeout=CONNECT_SECONDS)
        password = str(place.pop("password", None) or "")
        folder = programs()
        environment = {"PATH": str(folder), "PGPASSWORD": password, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        return subprocess.Popen(
            [str(folder / program), "--no-password", f"--dbname={make_conninfo('', **place)}", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=said,
        )


def _require_alone_in(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    found = connection.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL"
    ).fetchone()
    if found and found[0]:
        raise BackupError(
            f"{found[0]} others are connected to the database still: stop what uses it, then run the same command again"
        )


def _require_owner(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """What is another's would stay, and what was granted to this role on it would go."""
    if others := [str(owner) for (owner,) in connection.execute(_OF_OTHERS).fetchall()]:
        raise BackupError(
            f"tables of the database are those of {', '.join(others)}: restore it by that role (by DATABASE_URL)"
        )


def _counted(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, int]:
    counts = {}
    for schema, table in connection.execute(_TABLES).fetchall():
        name = sql.Identifier(str(schema), str(table))
        found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
        counts[f"{schema}.{table}"] = int(str(found[0])) if found else 0
    return counts


def _moment(row: tuple[object, ...] | None) -> datetime:
    assert row  # noqa: S101 # a SELECT without FROM has one row
    assert isinstance(row[0], datetime)  # noqa: S101
    return row[0]


def _words(said: IO[bytes]) -> str:
    said.seek(0, 2)
    said.seek(max(0, said.tell() - LAST_WORDS))
    return said.read().decode(errors="replace").strip() or "it gave no reason"
