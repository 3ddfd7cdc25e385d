"""The HTTP process: ``/v1/orders``."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, url_for
from pydantic import Field
from uuid_utils.compat import uuid7

from slipway_chassis.config import load_or_exit
from slipway_chassis.database import Database
from slipway_chassis.http.body import Input, json_body, query
from slipway_chassis.http.service import run_http

from ..application import use_cases
from ..bootstrap import prepare, transaction
from ..config import OrdersSettings
from ..domain.model import Order
from ..errors import OrderNotFound

PROBLEMS: dict[type[Exception], int] = {OrderNotFound: 404}


class NewOrder(Input):
    user_id: UUID
    item: str = Field(min_length=1, max_length=200)
    quantity: int = Field(ge=1, le=1_000)
    unit_price_cents: int = Field(ge=0, le=1_000_000)


class Page(Input):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: UUID | None = None


def routes(database: Database) -> Blueprint:
    api = Blueprint("v1", __name__, url_prefix="/v1/orders")

    @api.post("")
    def place() -> tuple[Response, int, dict[str, str]]:
        body = json_body(NewOrder)
        with transaction(database) as repositories:
            order = use_cases.place_order(
                repositories.orders, order_id=uuid7(), now=datetime.now(UTC), **body.model_dump()
            )
        return jsonify(order_json(order)), 201, {"Location": url_for("v1.show", order_id=order.id)}

    @api.get("")
    def index() -> Response:
        page = query(Page)
        with transaction(database) as repositories:
            orders = repositories.orders.page(after=page.after, limit=page.limit)
        more = {"next": url_for("v1.index", limit=page.limit, after=orders[-1].id)} if len(orders) == page.limit else {}
        return jsonify(orders=[order_json(order) for order in orders], **more)

    @api.get("/<uuid:order_id>")
    def show(order_id: UUID) -> Response:
        with transaction(database) as repositories:
            order, customer = use_cases.find_order(repositories.orders, repositories.customers, order_id)
        return jsonify(order_json(order) | {"customer_name": customer.name if customer else None})

    return api


def order_json(order: Order) -> dict[str, Any]:
    return {
        "id": str(order.id),
        "user_id": str(order.user_id),
        "item": order.item,
        "quantity": order.quantity,
        "unit_price_cents": order.unit_price_cents,
        "total_cents": order.total_cents,
        "placed_at": order.placed_at.isoformat(),
    }


def main() -> None:
    prepare()
    run_http("orders", load_or_exit(OrdersSettings), routes=routes, problems=PROBLEMS)


if __name__ == "__main__":
    main()
