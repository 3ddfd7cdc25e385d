"""Orders have a status; parked keys and idempotency keys."""

import sqlalchemy as sa
from alembic import op

from slipway_chassis.events import tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # With a default: the version before this one goes on inserting while both run.
    op.add_column("orders", sa.Column("status", sa.String(20), nullable=False, server_default="placed"))
    tables.create_v2(op.get_bind())


def downgrade() -> None:
    tables.drop_v2(op.get_bind())
    op.drop_column("orders", "status")
