import uuid

import pytest
from sqlalchemy import select

from orders.bootstrap import prepare, reactions
from orders.entrypoints.http import PROBLEMS, routes
from service_client import client_of, prepare_once
from slipway_chassis.events.tables import outbox

pytestmark = pytest.mark.integration
TEA = {"user_id": str(uuid.UUID(int=7)), "item": "tea", "quantity": 2, "unit_price_cents": 350}


@pytest.fixture(name="client")
def _client(database):
    prepare_once(prepare)
    return client_of("orders", database, routes, PROBLEMS)


def test_a_placed_order_is_found_and_its_event_waits_in_the_outbox(client, database):
    created = client.post("/v1/orders", json=TEA)

    assert created.status_code == 201
    assert created.get_json()["total_cents"] == 700
    found = client.get(created.headers["Location"]).get_json()
    assert found == created.get_json() | {"customer_name": None}
    with database.transaction() as session:
        [row] = session.execute(select(outbox)).all()
    assert (row.type, row.aggregate_id) == ("orders.OrderPlaced.v1", created.get_json()["id"])


def test_the_customer_has_a_name_once_the_event_arrived(client, database):
    created = client.post("/v1/orders", json=TEA)
    reaction = reactions()["users.UserRegistered.v1"]
    for name in ("Ada", "Ada L."):
        with database.transaction() as session:
            reaction.handler(session, reaction.event(user_id=uuid.UUID(int=7), name=name))

    assert client.get(created.headers["Location"]).get_json()["customer_name"] == "Ada L."


def test_an_unknown_order_is_404(client):
    assert client.get(f"/v1/orders/{uuid.UUID(int=0)}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [TEA | {"quantity": 0}, TEA | {"quantity": 1001}, TEA | {"unit_price_cents": -1}, TEA | {"user_id": "7"}, {}],
)
def test_wrong_fields_are_422(client, body):
    assert client.post("/v1/orders", json=body).status_code == 422


def test_orders_come_page_by_page(client):
    ids = [client.post("/v1/orders", json=TEA).get_json()["id"] for _ in range(3)]

    first = client.get("/v1/orders?limit=2").get_json()
    second = client.get(first["next"]).get_json()

    assert [order["id"] for order in first["orders"] + second["orders"]] == ids
