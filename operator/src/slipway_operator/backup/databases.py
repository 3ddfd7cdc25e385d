"""Databases of a backup: dumped at one moment, restored beside the live one, counted, renamed. The thin edge.

``pg_dump`` and ``pg_restore`` are those of the server that runs here. A dump is restored by the role of its service,
which can do no more than the service can, since a backup may come from elsewhere.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from slipway_chassis.embedded.postgresql import programs
from slipway_chassis.errors import DatabaseUnavailable

from ..errors import BackupError, BackupUnusable
from .folder import CHUNK
from .manifest import DatabaseDump
from .rows import differences
from .shop import Shop

CONNECT_SECONDS = 5
LAST_WORDS = 2000
LOCK_WAIT = "30s"
_TABLES = (
    "SELECT schemaname, tablename FROM pg_tables"
    " WHERE schemaname <> 'information_schema' AND schemaname !~ '^pg_' ORDER BY 1, 2"
)


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
    """Of the server that runs in ``shop``."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    # --- looking
    def exists(self, database: str) -> bool:
        with connected(self._shop.url("postgres")) as connection:
            return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone())

    def bytes_of(self, database: str) -> int:
        """On the disk; 0 when there is none."""
        with connected(self._shop.url("postgres")) as connection:
            found = connection.execute(
                "SELECT pg_database_size(oid) FROM pg_database WHERE datname = %s", [database]
            ).fetchone()
        return int(str(found[0])) if found else 0

    def rows(self, database: str) -> dict[str, int]:
        """Of each table, by schema.table."""
        with connected(self._shop.url(database)) as connection:
            return _counted(connection)

    def mark(self, database: str) -> str:
        """What a restore wrote beside it; empty where none did."""
        with connected(self._shop.url("postgres")) as connection:
            found = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [database]
            ).fetchone()
        return str(found[0] or "") if found else ""

    def now(self) -> datetime:
        """PostgreSQL's time, which moments are of."""
        with connected(self._shop.url("postgres")) as connection:
            return _moment(connection.execute("SELECT clock_timestamp()").fetchone())

    # --- dumping
    @contextmanager
    def snapshot(self, database: str) -> Iterator[Snapshot]:
        """One moment, which stays while the block runs."""
        with connected(self._shop.url(database), autocommit=False) as connection:
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
            process = self._start("pg_dump", [*command, *self._target(database)], said, stdout=subprocess.PIPE)
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
        with connected(self._shop.url("postgres")) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, role))
        command = ["--exit-on-error", "--single-transaction", "--no-owner", *self._target(database, owner), str(file)]
        with tempfile.TemporaryFile() as said:
            process = self._start("pg_restore", command, said, stdout=subprocess.DEVNULL)
            try:
                code = process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
            if code:
                raise BackupUnusable(f"{file.name} can't be restored: {_words(said)}")
        if told := differences(dump.rows, self.rows(database)):
            raise BackupUnusable(f"{file.name} gives other rows than were counted: {'; '.join(told)}")

    def drop(self, database: str) -> None:
        with connected(self._shop.url("postgres")) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def swap(self, restored: str, live: str, *, before: str, mark: str) -> None:
        """``restored`` becomes ``live``, which is kept as ``before``: both or none. Whoever finds ``mark`` knows that
        it is done. BackupError while somebody is connected to one of them.
        """
        names = {"restored": restored, "live": live, "before": before}
        quoted = {key: sql.Identifier(name) for key, name in names.items()}
        is_there = self.exists(live)
        self._require_alone(live, restored)
        with connected(self._shop.url("postgres"), autocommit=False) as connection:
            connection.execute(
                sql.SQL("COMMENT ON DATABASE {restored} IS {mark}").format(**quoted, mark=sql.Literal(mark))
            )
            if is_there:
                connection.execute(sql.SQL("ALTER DATABASE {live} RENAME TO {before}").format(**quoted))
            connection.execute(sql.SQL("ALTER DATABASE {restored} RENAME TO {live}").format(**quoted))

    def _require_alone(self, *databases: str) -> None:
        with connected(self._shop.url("postgres")) as connection:
            found = connection.execute(
                "SELECT DISTINCT datname, coalesce(nullif(application_name, ''), 'somebody') FROM pg_stat_activity"
                " WHERE datname = ANY(%s) AND backend_type = 'client backend'",
                [list(databases)],
            ).fetchall()
        if found:
            who = ", ".join(f"{application} (to {database})" for database, application in found)
            raise BackupError(f"{who} is connected still: end that, then run the same command again")

    def _target(self, database: str, role: str = "postgres") -> list[str]:
        place = f"host=127.0.0.1 port={self._shop.layout.postgresql} user={role} dbname={database}"
        return ["--no-password", f"--dbname={place} connect_timeout={CONNECT_SECONDS}"]

    def _start(self, program: str, arguments: list[str], said: IO[bytes], *, stdout: int) -> subprocess.Popen[bytes]:
        folder = programs()
        environment = {"PATH": str(folder), "PGPASSWORD": self._shop.password, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        return subprocess.Popen(
            [str(folder / program), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=said,
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
