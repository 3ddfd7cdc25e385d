"""A database in place: what its role has there goes, and what a dump has comes, in one transaction. What ends it in the
middle, or gives other rows, leaves the database as it was.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from slipway_chassis.errors import DatabaseUnavailable

from ..errors import BackupError, BackupUnusable
from .connections import connected
from .emptying import ALONE, LOCK_WAIT, PATIENT, TABLES, counted, emptied
from .folder import CHUNK
from .listing import WITH_ROLES, There, entries, roles_of, schemas_of, taken
from .manifest import DatabaseDump
from .programs import Program, started

KNOWS_TIMEOUT = 170_000  # the first server with transaction_timeout, which a script sets
LEAVING_SECONDS = 5.0
POLL_SECONDS = 0.1
_TIMEOUT = b"\nSET transaction_timeout = 0;\n"
_COMMIT = b"\nCOMMIT;\n"
_TAIL_BYTES = 4096
_LOST_CONNECTION = 2
_SCHEMAS = (
    "SELECT nspname, pg_has_role(current_user, nspowner, 'USAGE') FROM pg_namespace"
    " WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'"
)
_PUBLICATIONS = "SELECT pubname, pubowner = current_user::regrole FROM pg_publication"
# A list calls functions by the types of their arguments, and by names too where it tells of comments.
_OTHERS = """
    SELECT CASE prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END, nspname,
        format('%s(%s)', proname, unnest(ARRAY[pg_get_function_identity_arguments(pg_proc.oid),
            (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY place)
            FROM unnest(proargtypes) WITH ORDINALITY AS types (t, place))]))
    FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
    WHERE proowner <> current_user::regrole AND pg_proc.oid >= 16384
    UNION ALL SELECT 'VIEW', nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind = 'v' AND relowner <> current_user::regrole AND pg_class.oid >= 16384"""
_CONNECTED = """
    SELECT pid, coalesce(nullif(application_name, ''), 'no name'), usename FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
    AND coalesce(backend_type, 'client backend') = 'client backend' ORDER BY 1"""
_MOST_TOLD = 5

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """``lines``: what is restored. ``before``, ``after``: statements around it, in its transaction."""

    lines: list[str]
    before: bytes
    after: bytes
    knows_timeout: bool


@dataclass(frozen=True, slots=True)
class Refill:
    """Of the database of ``url``, by its role, from ``file``."""

    url: str
    dump: DatabaseDump
    file: Path

    def require(self) -> None:
        """Raises BackupError, with nothing changed, while somebody is connected, or where objects of others are in the
        way or would be lost, or roles are missing to which the dump grants.
        """
        lines = listed(self.file)
        with connected(self.url) as connection:
            connection.execute(PATIENT)  # by itself: between BEGIN and this a role's time limit may end the session
            connection.autocommit = False
            connection.execute(sql.SQL(ALONE).format(sql.Literal(LOCK_WAIT)))
            _require_alone(connection)
            self._require_owner(connection)
            _require_roles(connection, roles_of(script(self.file, entries(lines, WITH_ROLES))))
            try:
                connection.execute(emptied(schemas_of(lines)))
            except psycopg.errors.RaiseException as error:
                raise BackupError(f"{error.diag.message_primary}. Let them be dropped first") from None
            finally:
                connection.rollback()

    def run(self) -> None:
        """Raises BackupUnusable when the dump can't be restored or gives other rows, BackupError as ``require``, and
        DatabaseUnavailable when the connection breaks; nothing is changed then.
        """
        self.require()
        plan = self._planned(listed(self.file))
        with _filling(self.url) as filled, _restoring(self.file, plan.lines) as dumped:
            with _told(filled, self.file):
                filled.input.write(plan.before)
                filled.input.flush()
                last = _pumped(dumped, filled, knows_timeout=plan.knows_timeout)
            # What raises from here on ends psql before it has read a COMMIT.
            if dumped.process.wait():
                raise BackupUnusable(f"{self.file.name} can't be restored: {dumped.words()}")
            script, commit, rest = last.rpartition(_COMMIT)
            if not commit:
                raise BackupUnusable(f"{self.file.name} can't be restored: its script has no end")
            with _told(filled, self.file):
                filled.input.write(script + b"\n" + plan.after + commit + rest)
                filled.input.close()

    def _planned(self, lines: Sequence[str]) -> "_Plan":
        with connected(self.url) as connection:
            connection.execute(PATIENT)
            connection.execute(sql.SQL(ALONE).format(sql.Literal(LOCK_WAIT)))
            first = [sql.SQL(PATIENT), sql.SQL(ALONE).format(sql.Literal(LOCK_WAIT)), sql.SQL("BEGIN")]
            last = [sql.SQL("SET search_path = ''"), counted(self.dump.rows)]
            return _Plan(
                lines=taken(lines, _there(connection)),
                before=_statements([*first, emptied(schemas_of(lines))], connection),
                after=_statements(last, connection),
                knows_timeout=connection.info.server_version >= KNOWS_TIMEOUT,
            )

    def _require_owner(self, connection: Connection) -> None:
        """What is another's would stay in the way."""
        there = {f"{schema}.{table}": str(owner) for schema, table, owner in connection.execute(TABLES).fetchall()}
        (me,) = connection.execute("SELECT current_user::text").fetchone() or ("",)
        if others := sorted({there[table] for table in self.dump.rows if there.get(table, me) != me}):
            raise BackupError(
                f"tables of the database are those of {', '.join(others)}: restore it by that role (by DATABASE_URL)"
            )


def require_one_owner(url: str) -> None:
    """BackupError that names them for tables of several roles: one role restores, and would restore its own alone."""
    owners: dict[str, list[str]] = {}
    with connected(url) as connection:
        for schema, table, owner in connection.execute(TABLES).fetchall():
            owners.setdefault(str(owner), []).append(f"{schema}.{table}")
    if len(owners) > 1:
        told = "; ".join(f"{owner} has {', '.join(tables[:_MOST_TOLD])}" for owner, tables in sorted(owners.items()))
        raise BackupError(
            f"tables of the database are those of several roles, and a restore is done by one: {told}. Move what is "
            "not the service's into another database, or give it to the role of the service (ALTER TABLE ... OWNER TO)"
        )


def listed(file: Path) -> list[str]:
    """The dump's entries; BackupUnusable when it is none."""
    return _said(["--list", str(file)], file).decode(errors="replace").splitlines()


def script(file: Path, lines: Sequence[str]) -> str:
    """Statements of these entries of the dump."""
    with _list_of(lines) as chosen:
        return _said([*chosen, "--no-owner", "--file=-", str(file)], file).decode(errors="replace") if lines else ""


def _said(arguments: list[str], file: Path) -> bytes:
    with started("pg_restore", arguments, stdout=subprocess.PIPE) as running:
        said = running.output.read()
        if running.process.wait():
            raise BackupUnusable(f"{file.name} can't be read: {running.words()}")
        return said


@contextmanager
def _list_of(lines: Sequence[str]) -> Iterator[list[str]]:
    with tempfile.NamedTemporaryFile("w", prefix="slipway-list-", suffix=".txt") as file:
        file.write("\n".join([*lines, ""]))
        file.flush()
        yield [f"--use-list={file.name}"]


@contextmanager
def _restoring(file: Path, lines: Sequence[str]) -> Iterator[Program]:
    """Its script, which ends with the one COMMIT that it has."""
    words = ["--exit-on-error", "--single-transaction", "--no-owner", "--file=-"]
    with _list_of(lines) as chosen, started(
        "pg_restore", [*words, *chosen, str(file)], stdout=subprocess.PIPE
    ) as running:  # fmt: skip
        yield running


@contextmanager
def _filling(url: str) -> Iterator[Program]:
    words = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    with started("psql", [*words, "--file=-"], url=url, stdin=subprocess.PIPE) as running:
        yield running


def _pumped(dumped: Program, filled: Program, *, knows_timeout: bool) -> bytes:
    """All but the last bytes, which hold the COMMIT: a dump that was cut must not come to it."""
    held, first = b"", True
    while chunk := dumped.output.read(CHUNK):
        if first and not knows_timeout:
            chunk = chunk.replace(_TIMEOUT, b"\n", 1)
        held, first = held + chunk, False
        filled.input.write(held[:-_TAIL_BYTES])
        held = held[-_TAIL_BYTES:]
    return held


@contextmanager
def _told(filled: Program, file: Path) -> Iterator[None]:
    """What psql is told in the block; it ends at the first error, and reads no more. Raises what it says then."""
    with suppress(BrokenPipeError):
        yield
        if not filled.input.closed:
            return
    code = filled.process.wait()
    if code == 0 and filled.input.closed:
        return
    if code == _LOST_CONNECTION:
        raise DatabaseUnavailable(f"PostgreSQL: {filled.words()}")
    raise BackupUnusable(f"{file.name} can't be restored: {filled.words()}")


def _statements(statements: Sequence[sql.Composable], connection: Connection) -> bytes:
    return b"".join(each.as_bytes(connection) + b";\n" for each in statements)


def _there(connection: Connection) -> There:
    def rows(query: str) -> list[tuple[object, ...]]:
        return connection.execute(query.encode()).fetchall()

    return There(
        schemas={str(name): bool(own) for name, own in rows(_SCHEMAS)},
        publications={str(name): bool(own) for name, own in rows(_PUBLICATIONS)},
        others=[(str(kind), str(schema), str(name)) for kind, schema, name in rows(_OTHERS)],
    )


def _require_alone(connection: Connection) -> None:
    """A process that was stopped now may leave its connection a moment later."""
    ends = time.monotonic() + LEAVING_SECONDS
    while found := connection.execute(_CONNECTED).fetchall():
        if time.monotonic() > ends:
            told = ", ".join(f"{application} of {user} (pid {pid})" for pid, application, user in found[:_MOST_TOLD])
            raise BackupError(
                f"{len(found)} others are connected to the database still: {told}. Stop what uses it, and let a pooler "
                "close its idle connections (pg_terminate_backend ends one by its pid); then run the same command again"
            )
        time.sleep(POLL_SECONDS)
        connection.execute("SELECT pg_stat_clear_snapshot()")


def _require_roles(connection: Connection, roles: set[str]) -> None:
    there = {str(name) for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
    if missing := sorted(roles - there):
        raise BackupError(
            f"the backup grants to {', '.join(missing)}, and this server has no such role: make it first "
            "(CREATE ROLE ... NOLOGIN)"
        )
