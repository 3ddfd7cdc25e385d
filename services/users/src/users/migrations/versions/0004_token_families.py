"""Families of refresh tokens: what came of one sign-in, with a latest end."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Families that began before have no row until they are renewed; the version before this one goes on without any.
    op.create_table(
        "token_families",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index("token_families_of_user", "user_id"),
        sa.Index("token_families_until", "ends_at"),
    )
    op.add_column("refresh_tokens", sa.Column("parent", sa.Text))


def downgrade() -> None:
    op.drop_column("refresh_tokens", "parent")
    op.drop_table("token_families")
