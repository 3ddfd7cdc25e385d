"""The names of advisory locks: PostgreSQL counts them per database, and services may share one, each in its schema."""

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

# In public the names are what they always were: versions of one service run side by side during a release.
_KEY = (
    "hashtextextended(CASE WHEN coalesce(current_schema(), 'public') = 'public' THEN CAST(:name AS text)"
    " ELSE concat(current_schema(), ' ', CAST(:name AS text)) END, 0)"
)
_TRY_LOCK = text(f"SELECT pg_try_advisory_xact_lock({_KEY})")
# Zero in public; else its lowest four bits are free for a number of the caller's.
_SCOPE = text(
    "SELECT CASE nspname WHEN 'public' THEN 0 ELSE hashtext(nspname) & 2147483632 END"
    " FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = to_regclass(:table)"
)


def try_lock(session: Session, name: str) -> bool:
    """Takes the lock of this service with this name until the transaction ends; False when another one has it."""
    return bool(session.connection().execute(_TRY_LOCK, {"name": name}).scalar_one())


def scope_of(connection: Connection, table: str) -> int:
    """A number for the schema in which ``table`` is found: to be mixed into two-number advisory keys and channels."""
    return int(connection.execute(_SCOPE, {"table": table}).scalar() or 0)
