"""Tables, and the mapping of the domain's classes to them: the domain knows nothing of it."""

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, MetaData, Table, Text, Uuid
from sqlalchemy.orm import registry

from ..domain.model import User

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    Column("password_hash", Text),
    Column("version", Integer, nullable=False),
)

listed_orders = Table(
    "listed_orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("item", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("total_cents", Integer, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Index("listed_orders_of_user", "user_id", "placed_at"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("signs_from", DateTime(timezone=True), nullable=False),
    Column("public", Text, nullable=False),
    Column("private", LargeBinary, nullable=False),  # encrypted
)

# Of codes and refresh tokens only hashes are kept: who reads the table can use none.
authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("family", Uuid, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("scope", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("nonce", Text),
    Column("code_challenge", Text, nullable=False),
    Column("signed_in_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("family", Uuid, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("scope", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Column("parent", Text),  # the hash of the token that this one was given for
    Index("refresh_tokens_of_family", "family"),
    Index("refresh_tokens_until", "expires_at"),
)

# What came of one sign-in, until its latest end.
token_families = Table(
    "token_families",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("signed_in_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Index("token_families_of_user", "user_id"),
    Index("token_families_until", "ends_at"),
)

# What clients proved themselves with (private_key_jwt), until it expires: each is good for one request.
used_assertions = Table(
    "used_assertions",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("hash", Text, primary_key=True),  # of the address
    Column("failed", Integer, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
)

mapping = registry(metadata=metadata)


def map_domain() -> None:
    """Call once per process, before the first session."""
    if not hasattr(User, "__mapper__"):
        mapping.map_imperatively(User, users, version_id_col=users.c.version, version_id_generator=False)
