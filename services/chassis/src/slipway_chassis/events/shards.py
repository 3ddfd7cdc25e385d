"""Which relay owns which shards of the outbox: PostgreSQL advisory locks, no table and no leader.

Each relay holds one shared lock as its sign of life and an exclusive lock per shard it owns. All locks
belong to one session, so a relay that dies loses them with its connection and others take over.
A pooler that would give its transactions different sessions is refused when connecting (``database.sessions``).
"""

from sqlalchemy import Connection, text

from ..database import scope_of
from .outbox import SHARDS
from .tables import outbox

# The first number of the two-number advisory keys: apart from every other use of them.
MEMBERS = 0x51_1B_01
OWNERS = 0x51_1B_02

_COUNT_MEMBERS = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = :members"
    " AND objid = CAST(:scope AS oid) AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Shards:
    """The shards owned by one session. ``owned`` shrinks only between rounds, when nothing is in flight."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.owned: set[int] = set()
        # Services may share a database, each with an outbox in its own schema. The lowest bits are the shard's.
        self._scope = scope_of(connection, outbox.name)
        key = {"members": MEMBERS, "scope": self._scope}
        connection.execute(text("SELECT pg_advisory_lock_shared(:members, :scope)"), key)

    def rebalance(self) -> None:
        """Moves towards an equal share: gives up what is too much, takes what is free."""
        members = self._connection.execute(_COUNT_MEMBERS, {"members": MEMBERS, "scope": self._scope}).scalar_one()
        share = -(-SHARDS // max(members, 1))
        while len(self.owned) > share:
            self._call("pg_advisory_unlock", shard := max(self.owned))
            self.owned.discard(shard)
        for shard in range(SHARDS):
            if len(self.owned) >= share:
                break
            if shard not in self.owned and self._call("pg_try_advisory_lock", shard):
                self.owned.add(shard)

    def _call(self, function: str, shard: int) -> bool:
        statement = text(f"SELECT {function}(:owners, :shard)")
        return bool(self._connection.execute(statement, {"owners": OWNERS, "shard": self._scope | shard}).scalar_one())
