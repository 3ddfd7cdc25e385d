"""A service that reads its own events and notes when: for the latency of outbox, relay, Kafka and inbox."""

import time
import uuid
from dataclasses import dataclass, field

from sqlalchemy import Column, Float, Integer, MetaData, Table, Uuid, insert
from sqlalchemy.orm import Session, registry
from uuid_utils.compat import uuid7

from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import Stream
from slipway_chassis.http import Api, Output
from slipway_chassis.service import service

metadata = MetaData()
pings = Table("pings", metadata, Column("id", Uuid, primary_key=True), Column("version", Integer))
arrivals = Table("arrivals", metadata, Column("id", Uuid, primary_key=True), Column("at", Float))


@dataclass(frozen=True, kw_only=True)
class Pinged:
    id: uuid.UUID


@dataclass(kw_only=True, eq=False)
class Ping:
    id: uuid.UUID
    version: int = 0
    events: list = field(default_factory=list)


STREAM = Stream(topic="latency.ping.v1", aggregate="ping", source="/latency", events={"latency.Pinged.v1": Pinged})
PINGS = Source("latency.ping.v1")
v1 = Api("v1")


class Committed(Output):
    id: uuid.UUID


@v1.post("/v1/pings")
def ping(session: Session) -> Committed:
    made = Ping(id=uuid7(), version=1)
    made.events.append(Pinged(id=made.id))
    session.add(made)
    return Committed(id=made.id)


@PINGS.on("latency.Pinged.v1")
def arrived(session: Session, event: Pinged) -> None:
    session.execute(insert(arrivals).values(id=event.id, at=time.time()))


SERVICE = service(
    "latency",
    apis=[v1],
    publishes={Ping: STREAM},
    consumes=[PINGS],
    tables=metadata,
    prepare=lambda: registry(metadata=metadata).map_imperatively(
        Ping, pings, version_id_col=pings.c.version, version_id_generator=False
    ),
)
