"""Accounts: passwords, signing keys, authorization codes, refresh tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Without a value: users who came before have none, and the version before this one goes on inserting.
    op.add_column("users", sa.Column("password_hash", sa.Text))
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text, primary_key=True),
        sa.Column("signs_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("public", sa.Text, nullable=False),
        sa.Column("private", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "authorization_codes",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("family", sa.Uuid, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text),
        sa.Column("code_challenge", sa.Text, nullable=False),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("family", sa.Uuid, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.Index("refresh_tokens_of_family", "family"),
        sa.Index("refresh_tokens_until", "expires_at"),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "used_assertions",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    for table in ("sign_in_failures", "used_assertions", "refresh_tokens", "authorization_codes", "signing_keys"):
        op.drop_table(table)
    op.drop_column("users", "password_hash")
