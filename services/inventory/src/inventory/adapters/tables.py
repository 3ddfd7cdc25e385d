"""Tables, and the mapping of the domain's classes to them: the domain knows nothing of it."""

from sqlalchemy import Boolean, CheckConstraint, Column, Enum, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.orm import registry

from ..domain.model import Item, Reservation, ReservationStatus

metadata = MetaData()

items = Table(
    "items",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("price_cents", Integer, nullable=False),
    Column("available", Integer, nullable=False),
    Column("reserved", Integer, nullable=False),
    Column("sold", Integer, nullable=False),
    # The last line of defence: whatever the code does, nothing is sold twice.
    CheckConstraint("available >= 0 AND reserved >= 0 AND sold >= 0", name="items_never_below_zero"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("status", Enum(ReservationStatus, native_enum=False, values_callable=list, length=20), nullable=False),
    Column("of_order", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

mapping = registry(metadata=metadata)


def map_domain() -> None:
    """Call once per process, before the first session."""
    if not hasattr(Item, "__mapper__"):
        mapping.map_imperatively(Item, items)
        mapping.map_imperatively(
            Reservation, reservations, version_id_col=reservations.c.version, version_id_generator=False
        )
