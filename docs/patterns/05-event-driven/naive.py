"""Dual write: commit, then send. What waits in memory for Kafka dies with the process."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from slipway_chassis.config import KafkaSettings, load
from slipway_chassis.events import kafka, outbox, ports, stream

sender = ThreadPoolExecutor(1)
producer = cache(lambda: kafka.publisher(load(KafkaSettings), client_id="naive"))
NAMES = {"kind": "type", "source": "source", "subject": "aggregate_id", "version": "aggregate_version"}


def collect(db: Session, _: object) -> None:
    for each in (*db.new, *db.dirty):
        if kind := outbox._stream_of(each):
            db.info.setdefault("events", []).extend(outbox._take_rows(db, each, kind, new=each in db.new))


@event.listens_for(Session, "after_commit")
def commit_first(db: Session) -> None:
    for row in db.info.pop("events", ()):
        sender.submit(send, row)


def send(row: dict[str, Any]) -> None:
    said = {name: row[column] for name, column in NAMES.items()} | {"time": datetime.now(UTC).isoformat()}
    headers = stream.wire_headers(event_id=str(row["event_id"]), traceparent=None, **said)
    producer().publish([ports.Record(row["topic"], row["aggregate_id"].encode(), row["payload"].encode(), headers)])


outbox._after_flush = collect
