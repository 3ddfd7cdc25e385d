"""PostgreSQL: the engine, one transaction per use case, and migrations that any process can run."""

from .availability import changed_meanwhile, transient_as_unavailable
from .database import SHARDS_WRITTEN, Database
from .locks import scope_of, try_lock
from .migrating import MIGRATION_LOCK
from .schema import Schema, Tables, run_migrations
from .transactions import WATCHERS

__all__ = [
    "MIGRATION_LOCK",
    "SHARDS_WRITTEN",
    "WATCHERS",
    "Database",
    "Schema",
    "Tables",
    "changed_meanwhile",
    "run_migrations",
    "scope_of",
    "transient_as_unavailable",
    "try_lock",
]
