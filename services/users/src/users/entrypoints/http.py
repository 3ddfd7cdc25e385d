"""The HTTP process: ``/v1/users``."""

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
from ..config import UsersSettings
from ..domain.model import ListedOrder, User
from ..errors import EmailTaken, UserNotFound

PROBLEMS: dict[type[Exception], int] = {UserNotFound: 404, EmailTaken: 409}


class NewUser(Input):
    name: str = Field(min_length=1, max_length=200)
    # One @ with something on both sides: only a mail to it proves more.
    email: str = Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


class Page(Input):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: UUID | None = None


class Newest(Input):
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


def routes(database: Database) -> Blueprint:
    api = Blueprint("v1", __name__, url_prefix="/v1/users")

    @api.post("")
    def register() -> tuple[Response, int, dict[str, str]]:
        body = json_body(NewUser)
        with transaction(database) as repositories:
            user = use_cases.register_user(
                repositories.users, user_id=uuid7(), name=body.name, email=body.email, now=datetime.now(UTC)
            )
        return jsonify(user_json(user)), 201, {"Location": url_for("v1.show", user_id=user.id)}

    @api.get("")
    def index() -> Response:
        page = query(Page)
        with transaction(database) as repositories:
            users = repositories.users.page(after=page.after, limit=page.limit)
        more = {"next": url_for("v1.index", limit=page.limit, after=users[-1].id)} if len(users) == page.limit else {}
        return jsonify(users=[user_json(user) for user in users], **more)

    @api.get("/<uuid:user_id>")
    def show(user_id: UUID) -> Response:
        with transaction(database) as repositories:
            return jsonify(user_json(use_cases.find_user(repositories.users, user_id)))

    @api.get("/<uuid:user_id>/orders")
    def orders(user_id: UUID) -> Response:
        newest = query(Newest)
        with transaction(database) as repositories:
            listed = use_cases.list_orders(repositories.users, repositories.order_lists, user_id, limit=newest.limit)
        return jsonify(orders=[listed_order_json(order) for order in listed])

    return api


def user_json(user: User) -> dict[str, Any]:
    return {
        "id": str(user.id),
        "name": user.name,
        "email": user.email,
        "registered_at": user.registered_at.isoformat(),
    }


def listed_order_json(order: ListedOrder) -> dict[str, Any]:
    return {
        "order_id": str(order.order_id),
        "item": order.item,
        "quantity": order.quantity,
        "total_cents": order.total_cents,
        "placed_at": order.placed_at.isoformat(),
    }


def main() -> None:
    prepare()
    run_http("users", load_or_exit(UsersSettings), routes=routes, problems=PROBLEMS)


if __name__ == "__main__":
    main()
