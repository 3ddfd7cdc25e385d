import uuid

import pytest
from sqlalchemy import select

from orders.bootstrap import SERVICE
from orders.entrypoints.events import USERS
from slipway_chassis.events.tables import outbox

pytestmark = pytest.mark.integration
TEA = {"user_id": str(uuid.UUID(int=7)), "item": "tea", "quantity": 2, "unit_price_cents": 350}


@pytest.fixture(name="client")
def _client(client_of):
    return client_of(SERVICE)


def test_a_placed_order_is_found_and_its_event_waits_in_the_outbox(client, database):
    created = client.post("/v1/orders", json=TEA)

    assert created.status_code == 201
    assert created.get_json()["total_cents"] == 700
    found = client.get(created.headers["Location"]).get_json()
    assert found == created.get_json()
    with database.transaction() as session:
        [row] = session.execute(select(outbox)).all()
    assert (row.type, row.aggregate_id) == ("orders.OrderPlaced.v1", created.get_json()["id"])


def test_the_customer_has_a_name_once_the_event_arrived(client, database):
    created = client.post("/v1/orders", json=TEA)
    reaction = USERS.reactions["users.UserRegistered.v1"]
    for name in ("Ada", "Ada L."):
        with database.transaction() as session:
            reaction.handler(session, reaction.event(user_id=uuid.UUID(int=7), name=name), None)

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


def test_a_cancelled_order_tells_so_once(client, database):
    path = client.post("/v1/orders", json=TEA).headers["Location"]

    assert client.post(f"{path}/cancel").get_json()["status"] == "cancelled"
    assert client.post(f"{path}/cancel").status_code == 409
    assert client.get(path).get_json()["status"] == "cancelled"
    with database.transaction() as session:
        kinds = session.scalars(select(outbox.c.type).order_by(outbox.c.seq)).all()
    assert kinds == ["orders.OrderPlaced.v1", "orders.OrderCancelled.v1"]


def test_an_order_that_is_sent_again_is_placed_once(client):
    key = {"Idempotency-Key": str(uuid.uuid4())}

    first, second = (client.post("/v1/orders", json=TEA, headers=key) for _ in range(2))

    assert first.get_json() == second.get_json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(client.get("/v1/orders").get_json()["orders"]) == 1
    assert client.post("/v1/orders", json=TEA | {"quantity": 3}, headers=key).status_code == 422
