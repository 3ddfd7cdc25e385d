"""The JSON API: the home page as data."""

from datetime import datetime
from uuid import UUID

from flask import request

from slipway_chassis.auth import Principal, authenticate
from slipway_chassis.auth.scopes import bearer_token
from slipway_chassis.http import Api, Output, current_parts
from slipway_chassis.http.edge import current_request

from ..application.home import show_home
from ..domain.session import Account
from .parts import Parts

v1 = Api("v1")


class ItemView(Output):
    sku: str
    name: str
    price_cents: int
    available: int


class ListedOrderView(Output):
    order_id: UUID
    item: str
    quantity: int
    total_cents: int
    placed_at: datetime
    status: str


class UserView(Output):
    id: UUID
    name: str
    email: str


class HomeView(Output):
    """``missing`` names the parts that did not come: inventory, orders, user."""

    items: list[ItemView]
    orders: list[ListedOrderView]
    user: UserView | None
    partial: bool
    missing: list[str]


@v1.get("/v1/home", errors={401: "The token is not valid"})
def home() -> HomeView:
    """Show the items for sale and, to who sends a token, their name and last orders. What is away is left out."""
    known = current_parts(Parts)
    account = _account(known)
    shown = show_home(
        known.rounds.begin(),
        known.shelves_at_once,
        known.people_at_once,
        account=(lambda: account) if account else None,
    )
    return HomeView.model_validate(shown)


def _account(known: Parts) -> Account | None:
    """Who sends a token; it is passed on as it came, and never renewed."""
    authorization = request.headers.get("Authorization", "")
    if not authorization:
        return None
    principal: Principal = authenticate(known.verifier, authorization, ())
    current_request().principal = principal
    return Account(
        subject=principal.subject,
        name="",
        access_token=bearer_token(authorization),
        refresh_token="",
        expires_at=float(principal.claims["exp"]),
    )
