"""How a session of PostgreSQL begins: its time limits are set, and it is made sure that it is one.

A pooler such as PgBouncer may stand in between. In session mode it is as good as none. In transaction mode each
transaction gets another server's session, so that locks, LISTEN, settings and prepared statements of one process are
found by others: two relays would own the same shards. That is refused at the first connection.
"""

import re
import select
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from ..errors import ConfigurationError

# A request that waits longer than this for a statement has lost its caller anyway.
STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 5_000

_SETTINGS = {
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": LOCK_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": 60_000,
    # A host that lost power sends no farewell: without these the server keeps its locks for two hours.
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}
_OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)\s*=")
_STARTUP = "unsupported startup parameter"
# Who waits longer for its first statement waits for a place: the pooler gives none to others meanwhile.
_ANSWER_MS = 2_000

Connect = Callable[[], "psycopg.Connection[Any]"]


class Sessions:
    """Begins the sessions of one engine. ``options`` are those that the URL names: they take precedence.

    Settings go by a statement, not by the startup packet: PgBouncer refuses that, or drops it in silence.
    """

    def __init__(self, options: str) -> None:
        self._statement = _setting({name: value for name, value in _SETTINGS.items() if name not in _named(options)})
        self._is_one = False

    def begin(self, connect: Connect) -> "psycopg.Connection[Any]":
        """A new connection, ready to use. ConfigurationError when a pooler gives each transaction another session."""
        connection = _connected(connect)
        try:
            connection.autocommit = True
            row = connection.execute(self._statement).fetchone()
            connection.autocommit = False
            # A pooler makes up the number that it tells its client.
            if not self._is_one and row and row[0] != connection.info.backend_pid:
                _require_sessions(connection, connect)
            self._is_one = True
        except BaseException:
            connection.close()
            raise
        return connection


def _connected(connect: Connect) -> "psycopg.Connection[Any]":
    try:
        return connect()
    except psycopg.OperationalError as error:
        if _STARTUP in str(error):
            raise ConfigurationError(
                "DATABASE_URL names options, which the pooler in front of PostgreSQL refuses: give them to the role "
                "(ALTER ROLE ... SET ...) and take ?options= out, or name PostgreSQL itself in DATABASE_URL"
            ) from None
        raise


def _named(options: str) -> set[str]:
    return {name.replace("-", "_").lower() for name in _OPTION.findall(options)}


def _setting(settings: Mapping[str, int]) -> str:
    calls = [f"set_config('{name}', '{value}', false)" for name, value in settings.items()]
    return f"SELECT {', '.join(['pg_backend_pid()', *calls])}"


def _require_sessions(first: "psycopg.Connection[Any]", connect: Connect) -> None:
    """Two clients take turns: each must find its own session each time, however the pooler hands them out."""
    second = _connected(connect)
    try:
        seen: dict[int, set[int]] = {0: set(), 1: set()}
        for turn in (0, 1, 1, 0, 1, 0, 0, 1):
            pid = _backend_of((first, second)[turn])
            if pid is None:
                return  # the first one keeps the only place, as a session does
            seen[turn].add(pid)
    finally:
        second.close()
    if len(seen[0]) > 1 or len(seen[1]) > 1 or seen[0] & seen[1]:
        raise ConfigurationError(
            "the pooler in front of PostgreSQL gives each transaction another session (PgBouncer: pool_mode = "
            "transaction or statement), in which locks, wakeups and time limits are lost: set pool_mode = session for "
            "this database, or name PostgreSQL itself in DATABASE_URL"
        )


def _backend_of(connection: "psycopg.Connection[Any]") -> int | None:
    """None when there is no answer in time."""
    driver = connection.pgconn
    driver.send_query(b"SELECT pg_backend_pid()")
    waiting = select.poll()
    waiting.register(driver.socket, select.POLLIN)
    if not waiting.poll(_ANSWER_MS):
        return None
    pid = None
    while result := driver.get_result():
        pid = pid or int(result.get_value(0, 0) or 0)
    return pid
