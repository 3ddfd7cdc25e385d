"""Users, listed orders, outbox and inbox."""

import sqlalchemy as sa
from alembic import op

from slipway_chassis.events import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "listed_orders",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("total_cents", sa.Integer, nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index("listed_orders_of_user", "user_id", "placed_at"),
    )
    tables.create_v1(op.get_bind())


def downgrade() -> None:
    tables.drop_v1(op.get_bind())
    op.drop_table("listed_orders")
    op.drop_table("users")
