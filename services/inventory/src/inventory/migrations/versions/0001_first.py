"""Items, reservations, outbox and inbox."""

import sqlalchemy as sa
from alembic import op

from slipway_chassis.events import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "items",
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.Column("available", sa.Integer, nullable=False),
        sa.Column("reserved", sa.Integer, nullable=False),
        sa.Column("sold", sa.Integer, nullable=False),
        sa.CheckConstraint("available >= 0 AND reserved >= 0 AND sold >= 0", name="items_never_below_zero"),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("of_order", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    tables.create_v1(op.get_bind())
    tables.create_v2(op.get_bind())


def downgrade() -> None:
    tables.drop_v2(op.get_bind())
    tables.drop_v1(op.get_bind())
    op.drop_table("reservations")
    op.drop_table("items")
