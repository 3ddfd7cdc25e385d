"""The API over a real gRPC connection and a real database."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from sqlalchemy import select

from inventory.adapters.tables import items as items_table
from inventory.adapters.tables import reservations as reservations_table
from inventory.bootstrap import SERVICE
from inventory.entrypoints.events import ORDERS
from inventory.entrypoints.grpc import InventoryServicer
from inventory.entrypoints.inventory_v1 import inventory_pb2 as pb
from inventory.entrypoints.inventory_v1 import inventory_pb2_grpc as pb_grpc
from inventory.entrypoints.timers import TIMERS
from inventory.settings import InventorySettings
from slipway_chassis.auth import Verifier
from slipway_chassis.auth.keys import Keys
from slipway_chassis.config import GrpcSettings
from slipway_chassis.events.tables import outbox
from slipway_chassis.grpc.server import GrpcServer
from slipway_chassis.resources import Resources

pytestmark = pytest.mark.integration
CALLERS = 50


@pytest.fixture(name="channel")
def _channel(database, issuer):
    SERVICE.schema(database).upgrade()
    SERVICE.prepare_once()
    verifier = Verifier(Keys(issuer.fetch), issuer=issuer.url, audience=issuer.audience)
    resources = Resources(database=database, verifier=verifier, settings=InventorySettings())
    server = GrpcServer(SERVICE.grpc, resources, settings=GrpcSettings(grpc_threads=16), problems=SERVICE.problems)
    with grpc.insecure_channel(f"127.0.0.1:{server.start('127.0.0.1', 0)}") as channel:
        yield channel
    server.drain(1)


@pytest.fixture(name="call")
def _call(channel, issuer):
    stub = pb_grpc.InventoryServiceStub(channel)
    token = issuer.token("staff", scopes=["inventory:read", "inventory:write"])

    def call(method, request, *, token=token):
        metadata = [("authorization", f"Bearer {token}")] if token else []
        return getattr(stub, method)(request, metadata=metadata, timeout=30)

    return call


@pytest.fixture(name="tea")
def _tea(call):
    return call("PutItem", pb.PutItemRequest(sku="tea", name="Tea", price_cents=350, available=10)).item


def reserve(call, reservation_id, quantity=1, sku="tea"):
    request = pb.ReserveRequest(reservation_id=str(reservation_id), sku=sku, quantity=quantity)
    return call("Reserve", request).reservation


def stock(call):
    item = call("GetItem", pb.GetItemRequest(sku="tea")).item
    return item.available, item.reserved


def test_the_last_item_is_sold_once_to_fifty_callers(call):
    call("PutItem", pb.PutItemRequest(sku="tea", name="Tea", price_cents=350, available=1))
    begin = threading.Barrier(CALLERS)

    def buy(_number):
        begin.wait()
        return reserve(call, uuid.uuid4()).status

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(buy, range(CALLERS)))

    assert answers.count(pb.RESERVATION_STATUS_HELD) == 1
    assert answers.count(pb.RESERVATION_STATUS_REJECTED) == CALLERS - 1
    assert stock(call) == (0, 1)


def test_the_same_reservation_by_many_holds_once(call, tea):
    one, begin = uuid.uuid4(), threading.Barrier(CALLERS)

    def buy(_number):
        begin.wait()
        return reserve(call, one, quantity=2).status

    with ThreadPoolExecutor(CALLERS) as pool:
        assert set(pool.map(buy, range(CALLERS))) == {pb.RESERVATION_STATUS_HELD}
    assert stock(call) == (8, 2)


def test_what_is_released_can_be_reserved_again(call, tea, database):
    one = uuid.uuid4()
    reserve(call, one, quantity=10)
    assert reserve(call, uuid.uuid4()).reason == "0 of tea are available, not 1"

    for _ in range(2):
        released = call("Release", pb.ReleaseRequest(reservation_id=str(one))).reservation
        assert released.status == pb.RESERVATION_STATUS_RELEASED
    assert stock(call) == (10, 0)
    with database.transaction() as session:
        kinds = session.scalars(select(outbox.c.type).where(outbox.c.aggregate_id == str(one)).order_by(outbox.c.seq))
        assert kinds.all() == ["inventory.StockReserved.v1", "inventory.StockReleased.v1"]


def test_items_come_page_by_page_to_anybody(call):
    for sku in ("a", "b", "c"):
        call("PutItem", pb.PutItemRequest(sku=sku, name=sku.upper(), price_cents=1, available=1))

    first = call("ListItems", pb.ListItemsRequest(page_size=2), token=None).items
    second = call("ListItems", pb.ListItemsRequest(page_size=2, after=first[-1].sku), token=None).items

    assert [[item.sku for item in page] for page in (first, second)] == [["a", "b"], ["c"]]


def test_watchers_see_the_stock_and_each_change(channel, issuer, call, tea):
    stub = pb_grpc.InventoryServiceStub(channel)
    metadata = [("authorization", f"Bearer {issuer.token('ada', scopes=['inventory:read'])}")]
    watched = stub.WatchStock(pb.WatchStockRequest(skus=["tea"]), metadata=metadata, timeout=60)

    assert next(watched).item.available == 10
    reserve(call, uuid.uuid4(), quantity=3)
    assert next(watched).item.available == 7
    watched.cancel()


def test_one_caller_does_not_take_all_places_of_watchers(channel, issuer, tea):
    stub = pb_grpc.InventoryServiceStub(channel)

    def watch(subject):
        metadata = [("authorization", f"Bearer {issuer.token(subject, scopes=['inventory:read'])}")]
        return stub.WatchStock(pb.WatchStockRequest(skus=["tea"]), metadata=metadata, timeout=60)

    watched = [watch("eve") for _ in range(2)]
    assert [next(each).item.sku for each in watched] == ["tea", "tea"]
    with pytest.raises(grpc.RpcError) as refused:
        next(watch("eve"))
    assert refused.value.code().name in {"RESOURCE_EXHAUSTED", "UNAVAILABLE"}

    watched.append(watch("ada"))
    assert next(watched[-1]).item.sku == "tea"
    for each in watched:
        each.cancel()


def test_a_server_that_drains_waits_for_no_watcher(database, issuer):
    SERVICE.schema(database).upgrade()
    SERVICE.prepare_once()
    leaving = threading.Event()
    resources = Resources(database=database, settings=InventorySettings(), draining=leaving.is_set)
    stream = InventoryServicer(database, resources.draining).WatchStock(pb.WatchStockRequest(), FakeContext())
    leaving.set()

    assert list(stream) == []


class FakeContext:
    def is_active(self):
        return True


def test_what_an_order_holds_only_the_order_gives_back(call, tea, tell):
    order = uuid.uuid4()
    place(tell, order)

    with pytest.raises(grpc.RpcError) as refused:
        call("Release", pb.ReleaseRequest(reservation_id=str(order)))

    assert refused.value.code().name == "FAILED_PRECONDITION"
    assert stock(call) == (8, 2)


@pytest.mark.parametrize(
    ("method", "request_", "code", "word"),
    [
        ("GetItem", pb.GetItemRequest(sku="coffee"), "NOT_FOUND", "coffee"),
        ("GetItem", pb.GetItemRequest(sku=""), "INVALID_ARGUMENT", "sku"),
        ("GetItem", pb.GetItemRequest(sku="UPPER"), "INVALID_ARGUMENT", "sku"),
        ("PutItem", pb.PutItemRequest(sku="tea", name=" ", price_cents=1), "INVALID_ARGUMENT", "name"),
        ("PutItem", pb.PutItemRequest(sku="tea", name="T", price_cents=2**31), "INVALID_ARGUMENT", "price_cents"),
        ("PutItem", pb.PutItemRequest(sku="tea", name="T", available=2**31), "INVALID_ARGUMENT", "available"),
        ("ListItems", pb.ListItemsRequest(after="\x00"), "INVALID_ARGUMENT", "after"),
        ("Reserve", pb.ReserveRequest(reservation_id="7", sku="tea", quantity=1), "INVALID_ARGUMENT", "UUID"),
        (
            "Reserve",
            pb.ReserveRequest(reservation_id=str(uuid.UUID(int=1)), sku="tea"),
            "INVALID_ARGUMENT",
            "quantity",
        ),
        ("Release", pb.ReleaseRequest(reservation_id=str(uuid.UUID(int=9))), "NOT_FOUND", "reservation"),
    ],
)
def test_wrong_calls_are_refused_with_the_field(call, tea, method, request_, code, word):
    with pytest.raises(grpc.RpcError) as refused:
        call(method, request_)
    assert refused.value.code().name == code
    assert word in refused.value.details()


@pytest.mark.parametrize("method", ["PutItem", "Reserve", "Release", "WatchStock"])
def test_writing_and_watching_need_a_token_with_the_scope(call, channel, issuer, method):
    request = getattr(pb, f"{method}Request")()
    for token, code in ((None, "UNAUTHENTICATED"), (issuer.token("ada"), "PERMISSION_DENIED")):
        with pytest.raises(grpc.RpcError) as refused:
            answer = call(method, request, token=token)
            next(answer)  # of a stream
        assert refused.value.code().name == code


# --- the saga's side


@pytest.fixture(name="tell")
def _tell(database):
    def tell(kind, order, **fields):
        reaction = ORDERS.reactions[f"orders.{kind}.v1"]
        with database.transaction() as session:
            reaction.handler(session, reaction.event(order_id=order, **fields), None)
        with database.transaction() as session:
            return str(session.scalar(select(reservations_table.c.status).where(reservations_table.c.id == order)))

    return tell


def place(tell, order, *, item="tea", quantity=2, cents=700):
    return tell("OrderPlaced", order, item=item, quantity=quantity, total_cents=cents)


def test_an_order_holds_stock_until_it_is_paid_or_ends(call, tea, tell):
    paid, cancelled = uuid.uuid4(), uuid.uuid4()

    assert [place(tell, paid), place(tell, cancelled)] == ["held", "held"]
    assert stock(call) == (6, 4)
    assert tell("OrderPaid", paid) == "sold"
    assert tell("OrderCancelled", cancelled) == "released"
    assert stock(call) == (8, 0)
    assert tell("OrderCancelled", paid) == "released", "given back after it was paid"
    assert stock(call) == (10, 0)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"item": "coffee"}, "There is no item coffee."),
        ({"quantity": 11, "cents": 3850}, "10 of tea are available, not 11"),
        ({"cents": 1}, "tea costs 350 cents now"),
        ({"item": "NOT A SKU"}, "There is no item NOT A SKU."),
        ({"quantity": -5, "cents": -1750}, "-5 of tea can't be held: at least 1"),
    ],
)
def test_what_can_t_be_held_is_rejected_with_the_reason(call, tea, tell, database, order, reason):
    order_id = uuid.uuid4()

    assert place(tell, order_id, **order) == "rejected"
    with database.transaction() as session:
        assert session.scalar(select(reservations_table.c.reason)) == reason
    assert tell("OrderRejected", order_id) == "rejected"
    assert stock(call) == (10, 0)


def test_news_that_come_again_change_nothing(call, tea, tell):
    order = uuid.uuid4()
    for _ in range(2):
        place(tell, order)
    for kind in ("OrderCancelled", "OrderCancelled", "OrderPaid"):
        assert tell(kind, order) == "released"
    assert tell("OrderPaid", uuid.uuid4()) == "None", "an order from before this service"
    assert stock(call) == (10, 0)


def test_the_catalogue_is_added_once_and_never_set_back(call, database, tell):
    tea = {"sku": "tea", "name": "Tea", "price_cents": 350, "available": 10}
    settings = InventorySettings.model_validate({"catalogue": json.dumps([tea])})

    def run():
        with database.transaction() as session:
            TIMERS[0].run(session, settings)

    run()
    place(tell, uuid.uuid4())
    run()
    assert stock(call) == (8, 2)


def test_the_database_itself_sells_nothing_twice(call, tea, database):
    with pytest.raises(Exception, match="items_never_below_zero"), database.transaction() as session:
        session.execute(items_table.update().values(available=items_table.c.available - 11))
