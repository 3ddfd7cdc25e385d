"""The HTTP API: ``/v1/orders``."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from slipway_chassis.auth import Principal
from slipway_chassis.http import Api, Input, Output, current_parts, current_principal

from ..adapters.repositories import repositories
from ..application import use_cases
from ..application.ports import PaymentProvider
from ..domain.model import Customer, Order, OrderStatus
from ..errors import NotYours

v1 = Api("v1")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the handlers of this service use; one per process."""

    payments: PaymentProvider


READ, WRITE = "orders:read", "orders:write"
OF_ANYBODY = "orders:any"  # for the shop's own staff and services


class NewOrder(Input):
    """``unit_price_cents`` is the price the customer saw: an order at another one is rejected."""

    user_id: UUID | None = Field(None, description="who orders; left out: who asks")
    item: str = Field(min_length=1, max_length=200)
    quantity: int = Field(ge=1, le=1_000)
    unit_price_cents: int = Field(ge=0, le=1_000_000)


class Payment(Input):
    card: str = Field(min_length=1, max_length=100, description="what the payment provider knows the card by")


class Page(Input):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: UUID | None = None


class OrderView(Output):
    id: UUID
    user_id: UUID
    item: str
    quantity: int
    unit_price_cents: int
    total_cents: int
    placed_at: datetime
    status: OrderStatus
    reason: str = Field("", description="why it was rejected or cancelled")
    customer_name: str | None = None

    @classmethod
    def of(cls, order: Order, customer: Customer | None = None) -> "OrderView":
        view = cls.model_validate(order)
        return view.model_copy(update={"customer_name": customer.name}) if customer else view


class OrderPage(Output):
    orders: list[OrderView]
    next: str | None = Field(None, description="path of the page behind this one")


def _asker() -> UUID | None:
    """The user who asks; None for who may ask about anybody."""
    principal = current_principal()
    if principal is None or OF_ANYBODY in principal.scopes:
        return None
    return UUID(_user(principal))


def _user(principal: Principal) -> str:
    try:
        return str(UUID(principal.subject))
    except ValueError:
        raise NotYours("This token is of no user but of an application; it has no orders of its own.") from None


def _orderer(wanted: UUID | None) -> UUID:
    principal = current_principal()
    if wanted is not None and principal and OF_ANYBODY in principal.scopes:
        return wanted
    asker = UUID(_user(principal)) if principal else None
    if asker is None or wanted not in (None, asker):
        raise NotYours(f"Order for yourself, or with the scope {OF_ANYBODY}.")
    return asker


@v1.post("/v1/orders", location="/v1/orders/{id}", idempotent=True, scopes=[WRITE])
def place(body: NewOrder, session: Session) -> OrderView:
    """Place an order. Its stock is reserved behind the answer: then it is confirmed, or rejected."""
    order = use_cases.place_order(
        repositories(session).orders,
        order_id=uuid7(),
        user_id=_orderer(body.user_id),
        item=body.item,
        quantity=body.quantity,
        unit_price_cents=body.unit_price_cents,
        now=datetime.now(UTC),
    )
    return OrderView.of(order)


@v1.get("/v1/orders", scopes=[READ])
def index(query: Page, session: Session) -> OrderPage:
    """List one's orders, the oldest first."""
    orders = repositories(session).orders.page(of_user=_asker(), after=query.after, limit=query.limit)
    more = f"/v1/orders?limit={query.limit}&after={orders[-1].id}" if len(orders) == query.limit else None
    return OrderPage(orders=[OrderView.of(order) for order in orders], next=more)


@v1.get("/v1/orders/<uuid:order_id>", scopes=[READ], errors={404: "No such order"})
def show(order_id: UUID, session: Session) -> OrderView:
    """Show an order, with its customer's name as far as it is known here."""
    known = repositories(session)
    return OrderView.of(*use_cases.find_order(known.orders, known.customers, order_id, of_user=_asker()))


@v1.post(
    "/v1/orders/<uuid:order_id>/pay",
    status=200,
    idempotent=True,
    scopes=[WRITE],
    errors={402: "The card was declined", 404: "No such order", 409: "The order can't be paid (yet)"},
)
def pay(order_id: UUID, body: Payment, session: Session) -> OrderView:
    """Pay a confirmed order."""
    provider = current_parts(Parts).payments
    order = use_cases.pay_order(
        repositories(session).orders, provider, order_id, card=body.card, of_user=_asker(), now=datetime.now(UTC)
    )
    return OrderView.of(order)


@v1.post(
    "/v1/orders/<uuid:order_id>/cancel",
    status=200,
    idempotent=True,
    scopes=[WRITE],
    errors={404: "No such order", 409: "The order has ended already"},
)
def cancel(order_id: UUID, session: Session) -> OrderView:
    """Cancel an order; what was paid is given back."""
    order = use_cases.cancel_order(repositories(session).orders, order_id, of_user=_asker(), now=datetime.now(UTC))
    return OrderView.of(order)
