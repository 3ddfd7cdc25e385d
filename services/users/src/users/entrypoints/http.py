"""The HTTP API, in two versions over one domain.

``/v1/users`` can't show a user without the email, so it shows users to themselves and to the shop's staff alone;
and those it registers can't sign in. ``/v2/users`` has a profile that anybody may see, and an account has a
password. Taking the email away breaks who reads it, hence the new version; the old one stays until its sunset.
"""

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from slipway_chassis.http import Api, Input, Output, current_parts, current_principal

from ..adapters.repositories import repositories
from ..application import use_cases
from ..errors import NotYours
from .oauth import Parts

v1 = Api("v1", deprecated=date(2026, 11, 1), sunset=date(2027, 11, 1), successor="/v2/users")
v2 = Api("v2")

READ = "users:read"
WRITE = "users:write"
OF_ANYBODY = "users:any"  # for the shop's own staff and services

EMAIL_PATTERN = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"  # one @ with something on both sides: only a mail to it proves more
LIMIT = Annotated[int, Field(ge=1, le=100)]


class NewUser(Input):
    name: str = Field(min_length=1, max_length=200)
    email: str = Field(max_length=254, pattern=EMAIL_PATTERN)


# Spaces are part of it: stripped here, it could never be typed again.
KNOWN_PASSWORD = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=200)]
NEW_PASSWORD = Annotated[str, StringConstraints(strip_whitespace=False, min_length=10, max_length=200)]


class NewAccount(NewUser):
    password: NEW_PASSWORD


class ChangedPassword(Input):
    current: KNOWN_PASSWORD
    new: NEW_PASSWORD


class Page(Input):
    limit: LIMIT = 20
    after: UUID | None = None


class Newest(Input):
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class UserView(Output):
    id: UUID
    name: str
    email: str
    registered_at: datetime


class UserPage(Output):
    users: list[UserView]
    next: str | None = Field(None, description="path of the page behind this one")


class Profile(Output):
    """What others may know of a user."""

    id: UUID
    name: str


class SignInView(Output):
    client_id: str = Field(description="the application")
    signed_in_at: datetime
    ends_at: datetime = Field(description="when it ends at the latest")


class SignInList(Output):
    sign_ins: list[SignInView]


class ListedOrderView(Output):
    order_id: UUID
    item: str
    quantity: int
    total_cents: int
    placed_at: datetime
    status: str


class OrderList(Output):
    orders: list[ListedOrderView]


def _myself() -> UUID:
    principal = current_principal()
    try:
        return UUID(principal.subject if principal else "")
    except ValueError:
        raise NotYours("This token is of no user but of an application; it has no data of its own here.") from None


def _require_mine(user_id: UUID) -> None:
    principal = current_principal()
    if principal and principal.subject != str(user_id) and OF_ANYBODY not in principal.scopes:
        raise NotYours(f"Only the user itself may ask this, or who has the scope {OF_ANYBODY}.")


def _list_orders(session: Session, user_id: UUID, limit: int) -> OrderList:
    known = repositories(session)
    listed = use_cases.list_orders(known.users, known.order_lists, user_id, limit=limit)
    return OrderList(orders=[ListedOrderView.model_validate(order) for order in listed])


def _register(session: Session, body: NewUser, password: str | None) -> UserView:
    user = use_cases.register_user(
        repositories(session).users,
        current_parts(Parts).passwords,
        user_id=uuid7(),
        name=body.name,
        email=body.email,
        password=password,
        now=datetime.now(UTC),
    )
    return UserView.model_validate(user)


@v1.post(
    "/v1/users",
    location="/v1/users/{id}",
    idempotent=True,
    scopes=[OF_ANYBODY],
    errors={409: "The address is taken"},
)
def register(body: NewUser, session: Session) -> UserView:
    """Register a user, who has no password and can't sign in."""
    return _register(session, body, None)


@v1.get("/v1/users", scopes=[READ, OF_ANYBODY])
def index(query: Page, session: Session) -> UserPage:
    """List users, the oldest first."""
    users = repositories(session).users.page(after=query.after, limit=query.limit)
    more = f"/v1/users?limit={query.limit}&after={users[-1].id}" if len(users) == query.limit else None
    return UserPage(users=[UserView.model_validate(user) for user in users], next=more)


@v1.get("/v1/users/<uuid:user_id>", scopes=[READ], errors={404: "No such user"})
def show(user_id: UUID, session: Session) -> UserView:
    """Show a user, with the email."""
    _require_mine(user_id)
    return UserView.model_validate(use_cases.find_user(repositories(session).users, user_id))


@v1.get("/v1/users/<uuid:user_id>/orders", scopes=[READ], errors={404: "No such user"})
def orders(user_id: UUID, query: Newest, session: Session) -> OrderList:
    """List a user's orders, the newest first, as far as their events have come."""
    _require_mine(user_id)
    return _list_orders(session, user_id, query.limit)


# Not idempotent by key: the fingerprint of a body would be a fast hash of the password. The address is the key.
@v2.post("/v2/users", location="/v2/users/{id}", errors={409: "The address is taken"})
def open_account(body: NewAccount, session: Session) -> UserView:
    """Open an account."""
    return _register(session, body, body.password)


@v2.get("/v2/users/me", scopes=[READ], errors={404: "The account is gone"})
def show_me(session: Session) -> UserView:
    """Show who asks, with the email."""
    return UserView.model_validate(use_cases.find_user(repositories(session).users, _myself()))


@v2.post(
    "/v2/users/me/password",
    status=204,
    scopes=[WRITE],
    errors={403: "The current password is wrong, or was too often", 404: "The account is gone"},
)
def change_password(body: ChangedPassword, session: Session) -> None:
    """Change the password of who asks, and sign out everywhere. Access tokens go on until they expire."""
    known, stored = current_parts(Parts), repositories(session)
    use_cases.change_password(
        stored.users,
        known.passwords,
        known.attempts,
        stored.sign_ins,
        _myself(),
        current=body.current,
        new=body.new,
        now=datetime.now(UTC),
    )


@v2.get("/v2/users/me/sign-ins", scopes=[READ])
def my_sign_ins(session: Session) -> SignInList:
    """List where who asks is signed in, the newest first."""
    found = repositories(session).sign_ins.of_user(_myself(), now=datetime.now(UTC))
    return SignInList(sign_ins=[SignInView.model_validate(one) for one in found])


@v2.delete("/v2/users/me/sign-ins", scopes=[WRITE])
def sign_out_everywhere(session: Session) -> None:
    """Sign out everywhere. Access tokens go on until they expire."""
    repositories(session).sign_ins.end_all(_myself())


@v2.get("/v2/users/me/orders", scopes=[READ], errors={404: "The account is gone"})
def my_orders(query: Newest, session: Session) -> OrderList:
    """List the orders of who asks, the newest first, as far as their events have come."""
    return _list_orders(session, _myself(), query.limit)


@v2.get("/v2/users/<uuid:user_id>", scopes=[READ], errors={404: "No such user"})
def profile(user_id: UUID, session: Session) -> Profile:
    """Show what others may know of a user."""
    return Profile.model_validate(use_cases.find_user(repositories(session).users, user_id))
