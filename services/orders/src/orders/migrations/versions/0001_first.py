"""Orders, customers, outbox and inbox."""

import sqlalchemy as sa
from alembic import op

from slipway_chassis.events import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price_cents", sa.Integer, nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Index("orders_of_user", "user_id"),
    )
    op.create_table(
        "customers",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    tables.create_v1(op.get_bind())


def downgrade() -> None:
    tables.drop_v1(op.get_bind())
    op.drop_table("customers")
    op.drop_table("orders")
