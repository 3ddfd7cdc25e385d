"""Tables, and the mapping of the domain's classes to them: the domain knows nothing of it."""

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.orm import registry

from ..domain.model import User

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer, nullable=False),
)

listed_orders = Table(
    "listed_orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("item", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("total_cents", Integer, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Index("listed_orders_of_user", "user_id", "placed_at"),
)

mapping = registry(metadata=metadata)


def map_domain() -> None:
    """Call once per process, before the first session."""
    if not hasattr(User, "__mapper__"):
        mapping.map_imperatively(User, users, version_id_col=users.c.version, version_id_generator=False)
