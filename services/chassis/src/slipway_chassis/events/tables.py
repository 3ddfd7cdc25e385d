"""The tables of outbox and inbox, and the frozen steps by which services' migrations create them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Identity,
    Index,
    Integer,
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
    # Two transactions that claim the same version of an aggregate can't both commit: seq order is
    # commit order per aggregate.
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


def create_v1(connection: Connection) -> None:
    """Creates both tables as of version 1. A later change of the tables gets a step of its own."""
    metadata.create_all(connection, tables=[outbox, inbox])


def drop_v1(connection: Connection) -> None:
    metadata.drop_all(connection, tables=[outbox, inbox])
