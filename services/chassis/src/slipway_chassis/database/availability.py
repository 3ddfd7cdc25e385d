"""What of the driver's errors passes with time."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from ..errors import DatabaseUnavailable

# What psycopg raises when the server is away, restarts, or breaks off a deadlock: all pass with time.
_TRANSIENT = (OperationalError, InterfaceError, PoolTimeout)
# Errors of another class that pass as well: a session that was ended for idling in a transaction.
_TRANSIENT_STATES = {"25P03"}
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
        passes = isinstance(error, _TRANSIENT) or state in _TRANSIENT_STATES
        # Thrown away with its connection: so it is when the server is read-only for now (see ``connections``).
        passes = passes or bool(getattr(error, "connection_invalidated", False))
        if state.startswith(_LIMITS) or not passes:
            raise
        reason = str(original or error).strip().splitlines()[0]
        raise DatabaseUnavailable(f"PostgreSQL: {reason}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:  # from the driver itself
        raise DatabaseUnavailable(f"PostgreSQL: {str(error).strip().splitlines()[0]}") from error


ONE_EVENT_PER_VERSION = "outbox_one_event_per_version"


def changed_meanwhile(error: BaseException) -> bool:
    """Whether it says that another transaction changed the same aggregate first: reading it anew would help."""
    said = getattr(getattr(error, "orig", None), "diag", None)
    return isinstance(error, StaleDataError) or getattr(said, "constraint_name", None) == ONE_EVENT_PER_VERSION
