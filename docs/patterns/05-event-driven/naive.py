"""Dual write: commit, then send. What waits in memory for Kafka dies with the process."""

from datetime import UTC, datetime
from queue import Queue
from threading import Thread
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from slipway_chassis.config import KafkaSettings, load
from slipway_chassis.events import kafka, outbox, ports, stream

waiting: Queue[dict[str, Any]] = Queue()
sender = Thread(target=lambda: send(), daemon=True)
NAMES = {"kind": "type", "source": "source", "subject": "aggregate_id", "version": "aggregate_version"}


def collect(db: Session, _: object) -> None:
    for each in (*db.new, *db.dirty):
        if kind := outbox._stream_of(each):
            db.info.setdefault("events", []).extend(outbox._take_rows(db, each, kind, new=each in db.new))


@event.listens_for(Session, "after_commit")
def commit_first(db: Session) -> None:
    for row in db.info.pop("events", ()):
        waiting.put(row)
        sender.is_alive() or sender.start()


def send() -> None:
    producer = kafka.publisher(load(KafkaSettings), client_id="naive")
    while row := waiting.get():
        said = {name: row[column] for name, column in NAMES.items()} | {"time": datetime.now(UTC).isoformat()}
        headers = stream.wire_headers(event_id=str(row["event_id"]), traceparent=None, **said)
        producer.publish([ports.Record(row["topic"], row["aggregate_id"].encode(), row["payload"].encode(), headers)])


outbox._after_flush = collect
