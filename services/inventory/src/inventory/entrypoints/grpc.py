"""The API: gRPC, and JSON by the gateway's translation. Every field of a call is checked here."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from slipway_chassis.auth.scopes import principal_of_call
from slipway_chassis.database import Database
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.grpc.server import GrpcService
from slipway_chassis.resilience import Bulkhead
from slipway_chassis.resources import Resources

from ..adapters.repositories import Repositories, repositories
from ..application import use_cases
from ..domain import model
from ..errors import InvalidRequest
from .inventory_v1 import inventory_pb2 as pb
from .inventory_v1 import inventory_pb2_grpc as pb_grpc

PAGE = 100
WATCH_EVERY_SECONDS = 0.5
WATCH_SECONDS = 300.0
WATCHERS = 4  # each holds a thread; more are told to come again
WATCHERS_OF_ONE = 2  # one caller leaves places for the others
_SKU = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class InventoryServicer(pb_grpc.InventoryServiceServicer):
    def __init__(self, database: Database, draining: Callable[[], bool] = lambda: False) -> None:
        self._database = database
        self._draining = draining
        self._watchers = Bulkhead("watch stock", most=WATCHERS, each=WATCHERS_OF_ONE)

    def ListItems(self, request: pb.ListItemsRequest, _context: Any) -> pb.ListItemsResponse:  # noqa: N802 # gRPC's
        limit = min(request.page_size or PAGE, PAGE)
        with self._database.transaction() as session:
            items = repositories(session).items.page(after=_text(request.after, "after", 64), limit=limit)
            return pb.ListItemsResponse(items=[_item(item) for item in items])

    def GetItem(self, request: pb.GetItemRequest, _context: Any) -> pb.GetItemResponse:  # noqa: N802
        with self._database.transaction() as session:
            found = use_cases.find_item(repositories(session).items, _sku(request.sku))
            return pb.GetItemResponse(item=_item(found))

    def PutItem(self, request: pb.PutItemRequest, _context: Any) -> pb.PutItemResponse:  # noqa: N802
        with self._database.transaction() as session:
            put = use_cases.put_item(
                repositories(session).items,
                sku=_sku(request.sku),
                name=_text(request.name, "name", 200, required=True),
                price_cents=_number(request.price_cents, "price_cents", most=1_000_000),
                available=_number(request.available, "available", most=1_000_000_000),
            )
            return pb.PutItemResponse(item=_item(put))

    def Reserve(self, request: pb.ReserveRequest, _context: Any) -> pb.ReserveResponse:  # noqa: N802
        with self._database.transaction() as session:
            known = repositories(session)
            reservation = use_cases.reserve(
                known.items,
                known.reservations,
                reservation_id=_uuid(request.reservation_id),
                sku=_sku(request.sku),
                quantity=_number(request.quantity, "quantity", least=1, most=1_000),
            )
            return pb.ReserveResponse(reservation=_reservation(reservation))

    def Release(self, request: pb.ReleaseRequest, _context: Any) -> pb.ReleaseResponse:  # noqa: N802
        with self._database.transaction() as session:
            known = repositories(session)
            reservation = use_cases.release(known.items, known.reservations, _uuid(request.reservation_id))
            return pb.ReleaseResponse(reservation=_reservation(reservation))

    def WatchStock(self, request: pb.WatchStockRequest, context: Any) -> Iterator[pb.WatchStockResponse]:  # noqa: N802
        skus = [_sku(sku) for sku in request.skus]
        if len(skus) > PAGE:
            raise InvalidRequest(f"skus: at most {PAGE}, not {len(skus)}")
        end = time.monotonic() + WATCH_SECONDS
        told: dict[str, bytes] = {}
        principal = principal_of_call.get()
        with self._watchers.entering(principal.subject if principal else ""):
            while context.is_active() and not self._draining() and time.monotonic() < end:
                for item in self._watched(skus):
                    told_now = item.SerializeToString(deterministic=True)
                    if told.get(item.sku) != told_now:
                        told[item.sku] = told_now
                        yield pb.WatchStockResponse(item=item)
                time.sleep(WATCH_EVERY_SECONDS)

    def _watched(self, skus: list[str]) -> list[pb.Item]:
        with self._database.transaction() as session:
            items = _known(repositories(session), skus)
            return [_item(item) for item in items]


def _known(known: Repositories, skus: list[str]) -> list[model.Item]:
    return known.items.of(skus) if skus else known.items.page(after="", limit=PAGE)


def servicer(resources: Resources) -> InventoryServicer:
    if resources.database is None:
        raise ConfigurationError("the inventory service needs its database")
    return InventoryServicer(resources.database, resources.draining)


READ, WRITE = ["inventory:read"], ["inventory:write"]

API = GrpcService(
    descriptor=pb.DESCRIPTOR.services_by_name["InventoryService"],
    add=pb_grpc.add_InventoryServiceServicer_to_server,
    servicer=servicer,
    scopes={
        "ListItems": None,
        "GetItem": None,
        "WatchStock": READ,
        "PutItem": WRITE,
        "Reserve": WRITE,
        "Release": WRITE,
    },
)


def _item(item: model.Item) -> pb.Item:
    return pb.Item(
        sku=item.sku,
        name=item.name,
        price_cents=item.price_cents,
        available=item.available,
        reserved=item.reserved,
    )


def _reservation(reservation: model.Reservation) -> pb.Reservation:
    return pb.Reservation(
        reservation_id=str(reservation.id),
        sku=reservation.sku,
        quantity=reservation.quantity,
        status=pb.ReservationStatus.Value(f"RESERVATION_STATUS_{reservation.status.name}"),
        reason=reservation.reason,
    )


# --- fields


def _sku(value: str) -> str:
    if not _SKU.fullmatch(value):
        raise InvalidRequest("sku: 1 to 64 of a-z, 0-9 and -, for example tea-green")
    return value


def _text(value: str, name: str, longest: int, *, required: bool = False) -> str:
    if "\x00" in value or len(value) > longest or (required and not value.strip()):
        raise InvalidRequest(f"{name}: {'1' if required else '0'} to {longest} characters, without NUL")
    return value


def _number(value: int, name: str, *, least: int = 0, most: int) -> int:
    if not least <= value <= most:
        raise InvalidRequest(f"{name}: {least} to {most}, not {value}")
    return value


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise InvalidRequest("reservation_id: a UUID, for example 0190a7c2-9f3e-7c4b-8d21-5e6f7a8b9c0d") from None
