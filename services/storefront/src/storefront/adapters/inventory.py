"""The inventory, over gRPC. Its channel is guarded: what it does not answer is UpstreamUnavailable."""

import grpc

from slipway_chassis.errors import UnusableAnswer

from ..domain.catalogue import Item
from ..errors import ItemNotFound
from .inventory_v1 import inventory_pb2 as pb
from .inventory_v1 import inventory_pb2_grpc as pb_grpc

PAGE = 100
NO_SUCH_ITEM = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT}


class GrpcShelves:
    """The first hundred items, which is what one page shows."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = pb_grpc.InventoryServiceStub(channel)  # type: ignore[no-untyped-call] # made by protoc

    def items(self) -> tuple[Item, ...]:
        try:
            answer = self._stub.ListItems(pb.ListItemsRequest(page_size=PAGE))
        except grpc.RpcError as error:
            raise UnusableAnswer(f"inventory: {error.code().name}") from error
        return tuple(_item(item) for item in answer.items)

    def item(self, sku: str) -> Item:
        try:
            return _item(self._stub.GetItem(pb.GetItemRequest(sku=sku)).item)
        except grpc.RpcError as error:
            if error.code() in NO_SUCH_ITEM:
                raise ItemNotFound(f"There is no item {sku}.") from error
            raise UnusableAnswer(f"inventory: {error.code().name}") from error


def _item(item: pb.Item) -> Item:
    return Item(sku=item.sku, name=item.name, price_cents=item.price_cents, available=item.available)
