"""Tables, and the mapping of the domain's classes to them: the domain knows nothing of it."""

from sqlalchemy import Boolean, Column, DateTime, Enum, Index, Integer, MetaData, Table, Text, Uuid, text
from sqlalchemy.orm import registry

from ..domain.model import Order, OrderStatus

metadata = MetaData()

orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("item", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price_cents", Integer, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("status", Enum(OrderStatus, native_enum=False, values_callable=list, length=20), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    Column("refund_due", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Index("orders_of_user", "user_id", "id"),
    Index("orders_refund_due", "changed_at", postgresql_where=text("refund_due")),
    Index("orders_waiting", "status", "changed_at", postgresql_where=text("status IN ('placed', 'confirmed')")),
)

customers = Table(
    "customers",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
)

mapping = registry(metadata=metadata)


def map_domain() -> None:
    """Call once per process, before the first session."""
    if not hasattr(Order, "__mapper__"):
        mapping.map_imperatively(Order, orders, version_id_col=orders.c.version, version_id_generator=False)
