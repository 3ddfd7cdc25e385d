"""Orders know since when they are in their status, why they ended, and whether money is to be given back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # With defaults: the version before this one goes on inserting while both run.
    op.add_column(
        "orders",
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.add_column("orders", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column("orders", sa.Column("refund_due", sa.Boolean, nullable=False, server_default=sa.false()))
    # Orders from before are none of the saga's: no time-out ends them.
    op.execute("UPDATE orders SET changed_at = '9999-01-01' WHERE status = 'placed'")
    op.create_index("orders_refund_due", "orders", ["changed_at"], postgresql_where=sa.text("refund_due"))
    op.create_index(
        "orders_waiting",
        "orders",
        ["status", "changed_at"],
        postgresql_where=sa.text("status IN ('placed', 'confirmed')"),
    )
    op.drop_index("orders_of_user")
    op.create_index("orders_of_user", "orders", ["user_id", "id"])


def downgrade() -> None:
    op.drop_index("orders_of_user")
    op.create_index("orders_of_user", "orders", ["user_id"])
    op.drop_index("orders_waiting")
    op.drop_index("orders_refund_due")
    op.drop_column("orders", "refund_due")
    op.drop_column("orders", "reason")
    op.drop_column("orders", "changed_at")
