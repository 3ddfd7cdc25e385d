"""The tables of outbox, inbox, parked keys and idempotency keys, and the frozen steps by which services'
migrations create them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)

metadata = MetaData()

# A row is an event that Kafka has not acknowledged yet: state, not a high-water mark. (Sequences commit
# out of order, so "everything after the last seq I saw" would skip rows.)
outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("topic", Text, nullable=False),
    Column("aggregate_type", Text, nullable=False),
    Column("aggregate_id", Text, nullable=False),
    Column("aggregate_version", Integer, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("traceparent", Text),
    Column("payload", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    # A second line of defence, while the row is here: what keeps two transactions from one version of an aggregate is
    # its version_id_col, which the outbox requires. So seq order is commit order per aggregate.
    UniqueConstraint("aggregate_type", "aggregate_id", "aggregate_version", name="outbox_one_event_per_version"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("consumer_group", Text, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("inbox_seen_at", "seen_at"),
)


# Keys of strict streams whose events wait in the dead-letter topic (see ``parking``).
parked_keys = Table(
    "parked_keys",
    metadata,
    Column("consumer_group", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("letters", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("replaying", Boolean, nullable=False),
    Column("parked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("idempotency_keys_created_at", "created_at"),
)


def create_v1(connection: Connection) -> None:
    """Creates outbox and inbox. A later change of the tables gets a step of its own."""
    metadata.create_all(connection, tables=[outbox, inbox])


def drop_v1(connection: Connection) -> None:
    """Takes ``create_v1`` back, with all events that are not sent yet."""
    metadata.drop_all(connection, tables=[outbox, inbox])


def create_v2(connection: Connection) -> None:
    """Adds parked keys and idempotency keys."""
    metadata.create_all(connection, tables=[parked_keys, idempotency_keys])


def drop_v2(connection: Connection) -> None:
    """Takes ``create_v2`` back, with the answers that repeated requests would get."""
    metadata.drop_all(connection, tables=[parked_keys, idempotency_keys])
