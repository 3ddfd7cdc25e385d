"""Databases of a backup: dumped at one moment, restored beside the live one, counted, renamed. The thin edge.

``pg_dump`` and ``pg_restore`` are those of the server that ``slipway up`` runs. A dump is restored by the role of its
service, which can do no more than the service can, since a backup may come from elsewhere.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql

from ..errors import BackupError, BackupUnusable
from .connections import connected
from .emptying import LOCK_WAIT, PATIENT, TABLES
from .folder import CHUNK
from .manifest import DatabaseDump
from .programs import started
from .rows import differences

SUPERUSER = "postgres"


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


class Databases:
    """Of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    # --- looking
    def exists(self, database: str) -> bool:
        with connected(self._server.url("postgres")) as connection:
            return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone())

    def bytes_of(self, database: str) -> int:
        """On the disk."""
        with connected(self._server.url(database)) as connection:
            found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
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
        with connected(self._server.url(database)) as connection:
            connection.execute(PATIENT)
            connection.autocommit = False
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
        with started("pg_dump", command, url=self._server.url(database), stdout=subprocess.PIPE) as running:
            while chunk := running.output.read(CHUNK):
                yield chunk
            if running.process.wait():
                raise BackupError(f"pg_dump of {database} failed: {running.words()}")

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

    def _fill(self, file: Path, url: str) -> None:
        command = ["--exit-on-error", "--single-transaction", "--no-owner", str(file)]
        with started("pg_restore", command, url=url) as running:
            if running.process.wait():
                raise BackupUnusable(f"{file.name} can't be restored: {running.words()}")

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


def _counted(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, int]:
    counts = {}
    for schema, table, _ in connection.execute(TABLES).fetchall():
        name = sql.Identifier(str(schema), str(table))
        found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
        counts[f"{schema}.{table}"] = int(str(found[0])) if found else 0
    return counts


def _moment(row: tuple[object, ...] | None) -> datetime:
    assert row  # noqa: S101 # a SELECT without FROM has one row
    assert isinstance(row[0], datetime)  # noqa: S101
    return row[0]
