"""What the event benchmarks share: an aggregate, its tables, and a filled outbox."""

import uuid
from dataclasses import dataclass, field

from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid, insert
from sqlalchemy.orm import registry
from uuid_utils.compat import uuid7

from slipway_chassis.events import tables
from slipway_chassis.events.outbox import shard_of, write_events_of
from slipway_chassis.events.stream import Stream

metadata = MetaData()
orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("item", Text, nullable=False),
    Column("version", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    order_id: uuid.UUID
    item: str


@dataclass(kw_only=True, eq=False)
class Order:
    id: uuid.UUID
    item: str
    version: int = 0
    events: list = field(default_factory=list)

    @classmethod
    def place(cls, item):
        order = cls(id=uuid7(), item=item, version=1)
        order.events.append(OrderPlaced(order_id=order.id, item=item))
        return order


TYPE = "orders.OrderPlaced.v1"
STREAM = Stream(topic="bench.order.v1", aggregate="order", source="/bench", events={TYPE: OrderPlaced})
registry(metadata=metadata).map_imperatively(Order, orders, version_id_col=orders.c.version, version_id_generator=False)
write_events_of({Order: STREAM})

PAYLOAD = '{"order_id":"0190b0c4-0000-7000-8000-000000000000","item":"' + "x" * 440 + '"}'  # 500 bytes


def prepare(database):
    with database.engine.begin() as connection:
        metadata.create_all(connection)
        tables.create_v1(connection)
        tables.create_v2(connection)


def fill_outbox(database, count):
    rows = []
    for _ in range(count):
        order_id = str(uuid7())
        rows.append(
            {
                "event_id": uuid7(),
                "topic": STREAM.topic,
                "aggregate_type": "order",
                "aggregate_id": order_id,
                "aggregate_version": 1,
                "shard": shard_of(order_id),
                "type": TYPE,
                "source": "/bench",
                "traceparent": None,
                "payload": PAYLOAD,
            }
        )
    with database.transaction() as session:
        session.execute(insert(tables.outbox), rows)
