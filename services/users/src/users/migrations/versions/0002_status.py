"""Listed orders have a status and a version; parked keys and idempotency keys."""

import sqlalchemy as sa
from alembic import op

from slipway_chassis.events import tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # With defaults: the version before this one goes on inserting while both run.
    op.add_column("listed_orders", sa.Column("status", sa.Text, nullable=False, server_default="placed"))
    op.add_column("listed_orders", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    tables.create_v2(op.get_bind())


def downgrade() -> None:
    tables.drop_v2(op.get_bind())
    op.drop_column("listed_orders", "version")
    op.drop_column("listed_orders", "status")
