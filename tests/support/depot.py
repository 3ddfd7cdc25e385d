"""A service that writes a receipt for each event of an order, and says so: for tests of processes without HTTP.

`slipway run depot PROCESS` runs it under the name that ``DEPOT`` gives.
"""

import os
import uuid
from dataclasses import dataclass, field

from sqlalchemy import Column, Identity, Integer, MetaData, Table, Uuid, inspect
from sqlalchemy.orm import registry

from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import Stream
from slipway_chassis.service import service

metadata = MetaData()
orders = Table("orders", metadata, Column("id", Uuid, primary_key=True), Column("version", Integer))
# Nothing here forbids a second receipt: the inbox must.
receipts = Table(
    "receipts", metadata, Column("n", Integer, Identity()), Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid), Column("number", Integer), Column("version", Integer),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OrderChanged:
    number: int


@dataclass(frozen=True, kw_only=True)
class ReceiptWritten:
    order: str
    number: int


@dataclass(kw_only=True, eq=False)
class Order:
    id: uuid.UUID
    version: int = 0
    events: list = field(default_factory=list)

    def change(self):
        self.version += 1
        self.events.append(OrderChanged(number=self.version))


@dataclass(kw_only=True, eq=False)
class Receipt:
    id: uuid.UUID
    order_id: uuid.UUID
    number: int
    version: int = 1
    events: list = field(default_factory=list)


def _prepare():
    """Once per process, however many services of this kind it declares."""
    if inspect(Order, raiseerr=False):
        return
    mapped = registry(metadata=metadata)
    for kind, table in ((Order, orders), (Receipt, receipts)):
        mapped.map_imperatively(kind, table, version_id_col=table.c.version, version_id_generator=False)


def declared(name):
    placed = Stream(topic=f"{name}.order.v1", aggregate="order", source=f"/{name}",
                    events={"depot.OrderChanged.v1": OrderChanged})  # fmt: skip
    written = Stream(topic=f"{name}.receipt.v1", aggregate="receipt", source=f"/{name}",
                     events={"depot.ReceiptWritten.v1": ReceiptWritten})  # fmt: skip
    source = Source(placed.topic, strict=True)

    @source.on("depot.OrderChanged.v1")
    def write(session, event: OrderChanged, envelope) -> None:
        note = ReceiptWritten(order=envelope.subject, number=event.number)
        order = uuid.UUID(envelope.subject)
        session.add(Receipt(id=uuid.uuid4(), order_id=order, number=event.number, events=[note]))

    return service(
        name, publishes={Order: placed, Receipt: written}, consumes=[source], tables=metadata, prepare=_prepare
    )


if "DEPOT" in os.environ:
    DEPOT = declared(os.environ["DEPOT"])
