"""P9: events a second through the consumer and its inbox, against one transaction for each message."""

import time
import uuid

import psycopg
from kafka import KafkaConsumer

from bench import events
from bench.measuring import Rounds, at_least
from slipway_chassis.events import kafka as broker
from slipway_chassis.events.consumer import Consumer
from slipway_chassis.events.ports import Record
from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import decode, wire_headers
from slipway_chassis.lifecycle import Stop

EVENTS, PEER_EVENTS, ROUNDS = 20_000, 3_000, 5
TOPIC = "bench.inbox.v1"


def measure(world):
    database = world.database()
    events.prepare(database)
    broker.ensure_topics(world.kafka_settings, [TOPIC, f"{TOPIC}.bench.retry"])
    publisher = broker.publisher(world.kafka_settings, client_id="bench")
    records = [_record() for _ in range(EVENTS)]
    for start in range(0, EVENTS, 500):
        assert not any(publisher.publish(records[start : start + 500]))
    source = Source(TOPIC)
    stop = Stop()
    seen = [0]

    @source.on(events.TYPE)
    def nothing(_session, _event: events.OrderPlaced) -> None:
        seen[0] += 1
        if seen[0] == EVENTS:
            stop.request()

    def ours():
        nonlocal stop
        group, seen[0], stop = f"bench-{uuid.uuid4().hex}", 0, Stop()
        subscription = broker.subscription(world.kafka_settings, group=group, topics=[TOPIC], client_id="bench")
        consumer = Consumer(group, database=database, subscription=subscription, publisher=publisher, sources=[source])
        while not subscription.assigned():
            subscription.poll(timeout=0.1, limit=1)
        subscription.seek(dict.fromkeys(subscription.assigned(), 0))
        started = time.perf_counter()
        consumer.run(stop)
        seconds = time.perf_counter() - started
        subscription.close()
        assert seen[0] == EVENTS
        return seconds / EVENTS

    def one_by_one():
        """What a first consumer looks like: inbox row, effect, commit, for each message."""
        consumer = KafkaConsumer(
            TOPIC, bootstrap_servers=world.kafka_settings.kafka_bootstrap_servers, auto_offset_reset="earliest",
            group_id=None, enable_auto_commit=False,
        )  # fmt: skip
        group, done, started = uuid.uuid4().hex, 0, None
        with psycopg.connect(world.url_of(database)) as connection:
            while done < PEER_EVENTS:
                for received in consumer.poll(timeout_ms=500, max_records=200).values():
                    started = started or time.perf_counter()
                    for message in received:
                        event_id = uuid.UUID(dict(message.headers)["ce_id"].decode())
                        connection.execute(
                            "INSERT INTO inbox (consumer_group, event_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                            (group, event_id),
                        )
                        decode(events.OrderPlaced, message.value)
                        connection.commit()
                        done += 1
        seconds = time.perf_counter() - started
        consumer.close()
        return seconds / done

    ours(), one_by_one()
    rounds = Rounds({"ours": ours, "peer": one_by_one}, rounds=ROUNDS)
    publisher.close()
    shown = {name: f"{1 / rounds.median(name):.0f} events/s" for name in ("ours", "peer")}
    return [
        at_least(
            "P9 batched inbox / a transaction each",
            ours=shown["ours"],
            peer=shown["peer"],
            ratio=rounds.ratio("peer", "ours"),
            goal=8,
        )
    ]


def _record():
    headers = wire_headers(
        event_id=str(uuid.uuid4()), kind=events.TYPE, source="/bench", subject="k",
        time="2026-01-01T00:00:00+00:00", version=1, traceparent=None,
    )  # fmt: skip
    return Record(topic=TOPIC, key=uuid.uuid4().bytes, value=events.PAYLOAD.encode(), headers=headers)
