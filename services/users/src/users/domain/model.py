from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from uuid import UUID

from .events import UserRegistered


@dataclass(kw_only=True, eq=False)
class User:
    """``password_hash`` is None for those who came by /v1 without one: they can't sign in."""

    id: UUID
    name: str
    email: str
    registered_at: datetime
    password_hash: str | None = None
    version: int = 0
    events: list[UserRegistered] = field(default_factory=list)

    @classmethod
    def register(cls, *, user_id: UUID, name: str, email: str, now: datetime, password_hash: str | None = None) -> Self:
        user = cls(
            id=user_id, name=name, email=same_case(email), registered_at=now, password_hash=password_hash, version=1
        )
        user.events.append(UserRegistered(user_id=user_id, name=name, registered_at=now))
        return user

    def change_password(self, password_hash: str) -> None:
        self.password_hash = password_hash


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where a user is signed in: an application, since when, and until when at most."""

    id: UUID
    client_id: str
    signed_in_at: datetime
    ends_at: datetime


def same_case(email: str) -> str:
    """Emails are compared without regard to case: people type them both ways."""
    return email.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOrder:
    """A line in a user's order list: what this service knows of an order from events."""

    order_id: UUID
    user_id: UUID
    item: str
    quantity: int
    total_cents: int
    placed_at: datetime
    status: str
    version: int  # of the order when this was told: a projection takes no older news
