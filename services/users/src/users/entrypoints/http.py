"""The HTTP API: ``/v1/users``."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from slipway_chassis.http import Api, Input, Output

from ..adapters.repositories import repositories
from ..application import use_cases

v1 = Api("v1")


class NewUser(Input):
    name: str = Field(min_length=1, max_length=200)
    # One @ with something on both sides: only a mail to it proves more.
    email: str = Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


class Page(Input):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
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


class ListedOrderView(Output):
    order_id: UUID
    item: str
    quantity: int
    total_cents: int
    placed_at: datetime
    status: str


class OrderList(Output):
    orders: list[ListedOrderView]


@v1.post("/v1/users", location="/v1/users/{id}", idempotent=True, errors={409: "The address is taken"})
def register(body: NewUser, session: Session) -> UserView:
    """Register a user."""
    user = use_cases.register_user(
        repositories(session).users, user_id=uuid7(), name=body.name, email=body.email, now=datetime.now(UTC)
    )
    return UserView.model_validate(user)


@v1.get("/v1/users")
def index(query: Page, session: Session) -> UserPage:
    """List users, the oldest first."""
    users = repositories(session).users.page(after=query.after, limit=query.limit)
    more = f"/v1/users?limit={query.limit}&after={users[-1].id}" if len(users) == query.limit else None
    return UserPage(users=[UserView.model_validate(user) for user in users], next=more)


@v1.get("/v1/users/<uuid:user_id>", errors={404: "No such user"})
def show(user_id: UUID, session: Session) -> UserView:
    """Show a user."""
    return UserView.model_validate(use_cases.find_user(repositories(session).users, user_id))


@v1.get("/v1/users/<uuid:user_id>/orders", errors={404: "No such user"})
def orders(user_id: UUID, query: Newest, session: Session) -> OrderList:
    """List a user's orders, the newest first, as far as their events have come."""
    known = repositories(session)
    listed = use_cases.list_orders(known.users, known.order_lists, user_id, limit=query.limit)
    return OrderList(orders=[ListedOrderView.model_validate(order) for order in listed])
