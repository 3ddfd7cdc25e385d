"""What of the driver's errors passes with time."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import DatabaseUnavailable

# What psycopg raises when the server is away, restarts, or breaks off a deadlock: all pass with time.
_TRANSIENT = (OperationalError, InterfaceError, PoolTimeout)
# Errors of other classes that pass as well: a server that is read-only for now (a fail-over, a full
# disk), and a session that was ended for idling in a transaction.
_TRANSIENT_STATES = {"25006", "25P03"}
# An operational error by its class that no waiting mends: too large for an index, too many columns.
_LIMITS = "54"


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
