"""Connections to databases of a backup, whose errors are those of this package."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from slipway_chassis.errors import DatabaseUnavailable

from ..errors import BackupError
from .programs import CONNECT_SECONDS


@contextmanager
def connected(url: str, *, autocommit: bool = True) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """DatabaseUnavailable when the server is away or breaks off, BackupError when it refuses a statement."""
    try:
        with psycopg.connect(url, autocommit=autocommit, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"PostgreSQL: {_primary(error)}") from error
    except psycopg.Error as error:
        raise BackupError(f"PostgreSQL: {_primary(error)}") from error


def _primary(error: psycopg.Error) -> str:
    """Without details, which may hold rows."""
    return error.diag.message_primary or str(error).strip() or type(error).__name__
