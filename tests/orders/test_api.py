import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from orders.adapters.repositories import repositories
from orders.adapters.tables import orders as orders_table
from orders.application import saga
from orders.bootstrap import SERVICE
from orders.entrypoints.events import RESERVATIONS, USERS
from orders.entrypoints.timers import TIMERS
from orders.errors import PaymentUnavailable
from orders.settings import OrdersSettings
from slipway_chassis.events.tables import outbox

pytestmark = [pytest.mark.integration, pytest.mark.core]
ADA, BEN = uuid.UUID(int=7), uuid.UUID(int=8)
TEA = {"user_id": str(ADA), "item": "tea", "quantity": 2, "unit_price_cents": 350}


@pytest.fixture(name="client")
def _client(client_of):
    return client_of(SERVICE, subject=str(ADA), scopes=["orders:read", "orders:write"])


@pytest.fixture(name="staff")
def _staff(client_of):
    return client_of(SERVICE, subject="staff", scopes=["orders:read", "orders:write", "orders:any"])


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
            reaction.handler(session, reaction.event(user_id=ADA, name=name), None)

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


def tell(database, kind, order_id, **fields):
    """An event of inventory arrives."""
    reaction = RESERVATIONS.reactions[f"inventory.{kind}.v1"]
    with database.transaction() as session:
        reaction.handler(session, reaction.event(order_id=uuid.UUID(order_id), **fields), None)


@pytest.fixture(name="order")
def _order(client):
    return client.post("/v1/orders", json=TEA).get_json()["id"]


def state(client, order):
    return client.get(f"/v1/orders/{order}").get_json()["status"]


def test_whoever_asks_orders_for_itself(client):
    body = {key: value for key, value in TEA.items() if key != "user_id"}

    assert client.post("/v1/orders", json=body).get_json()["user_id"] == str(ADA)
    assert client.post("/v1/orders", json=TEA | {"user_id": str(BEN)}).status_code == 403


def test_orders_of_others_are_closed(client_of, client, staff, order):
    ben = client_of(SERVICE, subject=str(BEN), scopes=["orders:read", "orders:write"])

    assert ben.get(f"/v1/orders/{order}").status_code == 403
    assert ben.post(f"/v1/orders/{order}/cancel").status_code == 403
    assert ben.post(f"/v1/orders/{order}/pay", json={"card": "card-ok"}).status_code == 403
    assert ben.get("/v1/orders").get_json()["orders"] == []
    assert staff.get(f"/v1/orders/{order}").status_code == 200
    assert [one["id"] for one in staff.get("/v1/orders").get_json()["orders"]] == [order]


@pytest.mark.parametrize(("method", "path"), [("get", "/v1/orders"), ("post", "/v1/orders")])
def test_a_token_without_the_scope_is_403_and_none_is_401(client_of, method, path):
    nobody = client_of(SERVICE, subject=str(ADA))

    assert getattr(nobody, method)(path).status_code == 403
    nobody.environ_base["HTTP_AUTHORIZATION"] = ""
    assert getattr(nobody, method)(path).status_code == 401


def test_an_order_is_confirmed_then_paid(client, database, order):
    assert client.post(f"/v1/orders/{order}/pay", json={"card": "card-ok"}).status_code == 409
    tell(database, "StockReserved", order)
    assert state(client, order) == "confirmed"

    paid = client.post(f"/v1/orders/{order}/pay", json={"card": "card-ok"})

    assert (paid.status_code, paid.get_json()["status"]) == (200, "paid")
    assert client.post(f"/v1/orders/{order}/pay", json={"card": "card-ok"}).status_code == 409


def test_a_refused_card_leaves_the_order_as_it_was(client, database, order):
    tell(database, "StockReserved", order)

    assert client.post(f"/v1/orders/{order}/pay", json={"card": "card-declined"}).status_code == 402
    assert client.post(f"/v1/orders/{order}/pay", json={"card": "card-unavailable"}).status_code == 503
    assert state(client, order) == "confirmed"
    assert client.post(f"/v1/orders/{order}/pay", json={"card": "card-ok"}).status_code == 200


def test_what_can_t_be_reserved_is_rejected_with_the_reason(client, database, order):
    tell(database, "ReservationRejected", order, reason="0 of tea are available, not 2")

    found = client.get(f"/v1/orders/{order}").get_json()
    assert (found["status"], found["reason"]) == ("rejected", "0 of tea are available, not 2")
    assert client.post(f"/v1/orders/{order}/cancel").status_code == 409


def test_an_answer_that_comes_after_the_end_changes_nothing(client, database, order):
    client.post(f"/v1/orders/{order}/cancel")

    tell(database, "StockReserved", order)
    tell(database, "StockReserved", str(uuid.UUID(int=99)))  # reserved by somebody without an order

    assert state(client, order) == "cancelled"


def test_a_paid_order_can_be_given_back(client, database, order):
    tell(database, "StockReserved", order)
    client.post(f"/v1/orders/{order}/pay", json={"card": "card-ok"})

    assert client.post(f"/v1/orders/{order}/cancel").get_json()["status"] == "cancelled"


@pytest.mark.parametrize(("reserved", "due"), [(False, []), (True, ["first", "again"])])
def test_what_a_cancelled_order_may_have_cost_is_given_back(client, database, order, reserved, due):
    """Confirmed is enough: a charge whose commit was lost is given back as well."""
    if reserved:
        tell(database, "StockReserved", order)
    client.post(f"/v1/orders/{order}/cancel")
    voided = []

    class Provider:
        def void(self, order_id):
            voided.append("again" if voided else "first")
            if len(voided) == 1:
                raise PaymentUnavailable("away")

    for _ in range(3):
        with database.transaction() as session:
            saga.refund(repositories(session).orders, Provider())

    assert voided == due


def test_one_card_that_does_not_work_closes_the_way_for_no_other(client, database):
    orders = [client.post("/v1/orders", json=TEA).get_json()["id"] for _ in range(8)]
    for order in orders:
        tell(database, "StockReserved", order)
    for order in orders[:7]:
        assert client.post(f"/v1/orders/{order}/pay", json={"card": "card-unavailable"}).status_code == 503

    assert client.post(f"/v1/orders/{orders[7]}/pay", json={"card": "card-ok"}).status_code == 200


@pytest.mark.parametrize(("reserved", "ends"), [(False, "rejected"), (True, "cancelled")])
def test_nobody_waits_for_ever(client, database, order, reserved, ends):
    run = {timer.name: timer.run for timer in TIMERS}
    patient, impatient = OrdersSettings(), OrdersSettings(reservation_timeout_seconds=1, payment_timeout_seconds=1)
    if reserved:
        tell(database, "StockReserved", order)

    def pass_time(settings):
        for timer in run.values():
            with database.transaction() as session:
                timer(session, settings)

    pass_time(patient)
    assert state(client, order) == ("confirmed" if reserved else "placed")
    with database.transaction() as session:
        session.execute(update(orders_table).values(changed_at=orders_table.c.changed_at - timedelta(seconds=2)))
    pass_time(impatient)
    assert state(client, order) == ends
