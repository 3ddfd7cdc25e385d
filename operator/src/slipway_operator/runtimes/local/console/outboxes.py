"""What waits in the services' outboxes, and parked keys: read from their databases, changing nothing."""

from collections.abc import Iterator
from contextlib import suppress

import psycopg

from slipway_chassis.events.outbox_size import look_at_outbox

from ....console.model import Outbox, ParkedKey
from .addresses import Addresses

CONNECT_SECONDS = 2
STATEMENT_MS = 1000
MOST_KEYS = 20
LONGEST_KEY = 200
_OPTIONS = f"-c statement_timeout={STATEMENT_MS} -c default_transaction_read_only=on"
_PARKED = (
    "SELECT topic, encode(key, 'escape'), letters - settled, count(*) OVER () FROM parked_keys"
    " WHERE letters > settled ORDER BY parked_at LIMIT %s"
)


class Outboxes:
    """Connections are kept while somebody watches. One thread at a time."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._connections: dict[str, psycopg.Connection[tuple[object, ...]]] = {}

    def look(self) -> list[Outbox]:
        """Of each service that has one; with a sentence where its database does not answer."""
        return list(self._looks())

    def _looks(self) -> Iterator[Outbox]:
        for service, url in self._addresses.databases().items():
            try:
                found = self._of(service, url)
            except psycopg.Error as error:
                self._forget(service)
                yield Outbox(service, trouble=f"its database does not answer: {_first_line(error)}")
            else:
                if found:
                    yield found

    def _of(self, service: str, url: str) -> Outbox | None:
        connection = self._connected(service, url)
        if not _has(connection, "outbox"):
            return None
        pending, oldest = look_at_outbox(connection)
        rows = connection.execute(_PARKED, [MOST_KEYS]).fetchall() if _has(connection, "parked_keys") else []
        keys = tuple(ParkedKey(str(row[0]), str(row[1])[:LONGEST_KEY], int(str(row[2]))) for row in rows)
        return Outbox(service, pending, oldest, int(str(rows[0][3])) if rows else 0, keys)

    def _connected(self, service: str, url: str) -> psycopg.Connection[tuple[object, ...]]:
        if service not in self._connections:
            self._connections[service] = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                options=_OPTIONS,
                application_name="slipway-console",
            )
        return self._connections[service]

    def _forget(self, service: str) -> None:
        connection = self._connections.pop(service, None)
        if connection:
            with suppress(psycopg.Error):
                connection.close()

    def rest(self) -> None:
        """Nobody watches: the connections are given back."""
        for service in list(self._connections):
            self._forget(service)


def _has(connection: psycopg.Connection[tuple[object, ...]], table: str) -> bool:
    return connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone() == (True,)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0]
