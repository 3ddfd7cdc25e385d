"""Refresh tokens come in families: what came of one sign-in. One token at a time is good, and each names its family.

A token that comes a second time is the sign of a thief, and ends all of its family (RFC 9700). The name in it tells the
family even when its own row has long been forgotten, so evidence lasts as long as what it proves.
"""

import base64
import hashlib
import secrets
from binascii import Error as BinasciiError
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ..domain.model import SignIn
from .tables import authorization_codes, refresh_tokens, token_families

# An answer can be lost, and a page open twice asks twice at once: for so long the same token is no theft.
REUSE_LEEWAY = timedelta(seconds=60)
_SECRET_BYTES = 32
_TOKEN_BYTES = 16 + _SECRET_BYTES


def hashed(secret: str) -> str:
    """What is stored of it: who reads the table can use none."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_refresh_token(family: UUID) -> str:
    """A secret that names its family."""
    return base64.urlsafe_b64encode(family.bytes + secrets.token_bytes(_SECRET_BYTES)).decode()


def family_named_by(token: str) -> UUID | None:
    """None for what is no refresh token, and for those of versions that named none."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (BinasciiError, ValueError):
        return None
    return UUID(bytes=raw[:16]) if len(raw) == _TOKEN_BYTES else None


class SqlTokenFamilies:
    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self, family: UUID) -> None:
        """Until the transaction ends: a token must not be made while all of its family are being revoked."""
        self._session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"tokens {family}", 0))))

    def begin(
        self, family: UUID, *, user_id: UUID, client_id: str, signed_in_at: datetime, ends_at: datetime
    ) -> datetime:
        """Its latest end: of the first time that it is begun."""
        values = {"id": family, "user_id": user_id, "client_id": client_id, "signed_in_at": signed_in_at}
        self._session.execute(
            insert(token_families).values(**values, ends_at=ends_at).on_conflict_do_nothing(index_elements=["id"])
        )
        stored: datetime = self._session.execute(
            select(token_families.c.ends_at).where(token_families.c.id == family)
        ).scalar_one()
        return stored

    def revoke(self, family: UUID) -> None:
        """Ends all its tokens."""
        self._session.execute(delete(refresh_tokens).where(refresh_tokens.c.family == family))
        self._session.execute(delete(token_families).where(token_families.c.id == family))

    def usable(self, token: str, *, now: datetime) -> Any | None:
        """The token's row, with its family locked; None for one that is not known, has expired, or came back: then its
        family is revoked.
        """
        found = select(refresh_tokens).where(refresh_tokens.c.hash == hashed(token))
        row = self._session.execute(found).one_or_none()
        family = row.family if row else family_named_by(token)
        if family is None:
            return None
        self.lock(family)
        row = self._session.execute(found.with_for_update()).one_or_none()  # as it is now that nobody else works on it
        if row is None or self._came_back(row, now):
            self.revoke(family)
            return None
        return row if row.expires_at > now else None

    def _came_back(self, row: Any, now: datetime) -> bool:
        if row.used_at is None:
            return False
        later = refresh_tokens.c.parent == row.hash, refresh_tokens.c.used_at.is_not(None)
        return row.used_at + REUSE_LEEWAY <= now or bool(self._session.scalar(select(exists().where(*later))))

    def note_use(self, row: Any, *, now: datetime) -> None:
        """Also ends the other tokens that were given for the same one: of two lines the one that is used goes on."""
        tokens = refresh_tokens.c
        this = update(refresh_tokens).where(tokens.hash == row.hash, tokens.used_at.is_(None))
        self._session.execute(this.values(used_at=now))
        if row.parent is not None:
            others = tokens.family == row.family, tokens.parent == row.parent, tokens.hash != row.hash
            ended = update(refresh_tokens).where(*others, tokens.used_at.is_(None))
            self._session.execute(ended.values(used_at=now - REUSE_LEEWAY))

    def of_user(self, user_id: UUID, *, now: datetime) -> list[SignIn]:
        """The newest first."""
        mine = token_families.c.user_id == user_id, token_families.c.ends_at > now
        rows = self._session.execute(
            select(token_families).where(*mine).order_by(token_families.c.signed_in_at.desc(), token_families.c.id)
        )
        return [SignIn(row.id, row.client_id, row.signed_in_at, row.ends_at) for row in rows]

    def end_all(self, user_id: UUID) -> None:
        """Everywhere, codes that are not used yet included."""
        codes = authorization_codes.c
        self._session.execute(delete(authorization_codes).where(codes.user_id == user_id, codes.used_at.is_(None)))
        known = select(token_families.c.id).where(token_families.c.user_id == user_id)
        begun_before = select(refresh_tokens.c.family).where(refresh_tokens.c.user_id == user_id)
        # In one order: no two wait for each other.
        for family in sorted(self._session.scalars(known.union(begun_before))):
            self.lock(family)
            self.revoke(family)
