"""The same view with everything on: typed, token and scope, logs, metrics, traces, health, OpenAPI."""

from slipway_chassis.http import Api, Output
from slipway_chassis.service import service

v1 = Api("v1")


class Item(Output):
    id: int
    name: str
    price_cents: int
    tags: list[str]


@v1.get("/v1/items/<int:number>", scopes=["items:read"])
def show(number: int) -> Item:
    return Item(id=number, name="tea", price_cents=350, tags=["hot", "green"])


SERVICE = service("ours", apis=[v1])
