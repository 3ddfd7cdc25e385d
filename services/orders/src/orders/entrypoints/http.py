"""The HTTP API: ``/v1/orders``."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from slipway_chassis.http import Api, Input, Output

from ..adapters.repositories import repositories
from ..application import use_cases
from ..domain.model import Customer, Order, OrderStatus

v1 = Api("v1")


class NewOrder(Input):
    user_id: UUID
    item: str = Field(min_length=1, max_length=200)
    quantity: int = Field(ge=1, le=1_000)
    unit_price_cents: int = Field(ge=0, le=1_000_000)


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
    customer_name: str | None = None

    @classmethod
    def of(cls, order: Order, customer: Customer | None = None) -> "OrderView":
        view = cls.model_validate(order)
        return view.model_copy(update={"customer_name": customer.name}) if customer else view


class OrderPage(Output):
    orders: list[OrderView]
    next: str | None = Field(None, description="path of the page behind this one")


@v1.post("/v1/orders", location="/v1/orders/{id}", idempotent=True)
def place(body: NewOrder, session: Session) -> OrderView:
    """Place an order."""
    order = use_cases.place_order(
        repositories(session).orders, order_id=uuid7(), now=datetime.now(UTC), **body.model_dump()
    )
    return OrderView.of(order)


@v1.get("/v1/orders")
def index(query: Page, session: Session) -> OrderPage:
    """List orders, the oldest first."""
    orders = repositories(session).orders.page(after=query.after, limit=query.limit)
    more = f"/v1/orders?limit={query.limit}&after={orders[-1].id}" if len(orders) == query.limit else None
    return OrderPage(orders=[OrderView.of(order) for order in orders], next=more)


@v1.get("/v1/orders/<uuid:order_id>", errors={404: "No such order"})
def show(order_id: UUID, session: Session) -> OrderView:
    """Show an order, with its customer's name as far as it is known here."""
    known = repositories(session)
    return OrderView.of(*use_cases.find_order(known.orders, known.customers, order_id))


@v1.post(
    "/v1/orders/<uuid:order_id>/cancel",
    status=200,
    idempotent=True,
    errors={404: "No such order", 409: "The order is cancelled already"},
)
def cancel(order_id: UUID, session: Session) -> OrderView:
    """Cancel an order."""
    return OrderView.of(use_cases.cancel_order(repositories(session).orders, order_id, now=datetime.now(UTC)))
