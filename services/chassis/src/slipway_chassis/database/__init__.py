"""PostgreSQL: the engine, one transaction per use case, and migrations that any process can run."""

from .availability import transient_as_unavailable
from .database import SHARDS_WRITTEN, Database
from .schema import MIGRATION_LOCK, Schema, Tables, run_migrations

__all__ = [
    "MIGRATION_LOCK",
    "SHARDS_WRITTEN",
    "Database",
    "Schema",
    "Tables",
    "run_migrations",
    "transient_as_unavailable",
]
