"""A connection for each call: opened, used once, closed. It is what the first example of every tutorial does."""

import os

import grpc

from .adapters import inventory
from .adapters.inventory_v1 import inventory_pb2 as pb
from .adapters.inventory_v1 import inventory_pb2_grpc as pb_grpc
from .domain.catalogue import Item


def items(_: inventory.GrpcShelves) -> tuple[Item, ...]:
    with grpc.insecure_channel(os.environ["INVENTORY_TARGET"]) as channel:
        stub = pb_grpc.InventoryServiceStub(channel)  # type: ignore[no-untyped-call]
        answer = stub.ListItems(pb.ListItemsRequest(page_size=inventory.PAGE))
    return tuple(inventory._item(item) for item in answer.items)


inventory.GrpcShelves.items = items  # type: ignore[method-assign]
