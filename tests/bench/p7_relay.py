"""P7: how fast a relay drains an outbox, against the bare client sending the same records in acked batches."""

import time

from kafka import KafkaProducer

from bench import events
from bench.measuring import Rounds, at_least
from slipway_chassis.events import kafka as broker
from slipway_chassis.events.kafka.python_client import PRODUCER
from slipway_chassis.events.outbox import SHARDS
from slipway_chassis.events.relay import BATCH, Relay
from slipway_chassis.testing.broker import MemoryBroker

EVENTS, ROUNDS = 10_000, 7


def measure(world):
    database = world.database()
    events.prepare(database)
    broker.ensure_topics(world.kafka_settings, [events.STREAM.topic])
    records = _records(database)
    ours = broker.publisher(world.kafka_settings, client_id="bench")
    faster_settings = world.kafka_settings.model_copy(update={"kafka_client": "confluent-kafka"})
    faster = broker.publisher(faster_settings, client_id="bench")
    bare = KafkaProducer(bootstrap_servers=world.kafka_settings.kafka_bootstrap_servers, **PRODUCER)
    with database.autocommit() as connection:
        contenders = {
            "relay": lambda: _relayed(database, connection, ours),
            "bare": lambda: _timed(lambda: _send(bare, records)),
            "confluent": lambda: _relayed(database, connection, faster),
        }
        for contender in contenders.values():
            contender()
        rates, cpu = {name: [] for name in contenders}, {name: [] for name in contenders}

        def once(name):
            rate, used = contenders[name]()
            rates[name].append(rate)
            cpu[name].append(used)
            return used

        rounds = Rounds({name: lambda name=name: once(name) for name in contenders}, rounds=ROUNDS)
    for producer in (ours, faster, bare):
        producer.close()
    shown = {name: f"{sorted(rates[name])[ROUNDS // 2]:.0f}/s, {rounds.median(name):.0f} us CPU" for name in rates}
    best = max(rates["relay"])
    return [
        at_least(
            "P7 relay / kafka-python, CPU an event",
            ours=shown["relay"],
            peer=shown["bare"],
            ratio=rounds.ratio("bare", "relay"),
            goal=0.80,
        ),
        at_least(
            "P7 relay, events a second (best round)",
            ours=f"{best:.0f}/s",
            peer="10000/s",
            ratio=best / 10_000,
            goal=1.0,
        ),
        at_least(
            "P7 relay with confluent-kafka / with kafka-python",
            ours=shown["confluent"],
            peer=shown["relay"],
            ratio=rounds.ratio("relay", "confluent"),
            goal=1.5,
        ),
    ]


def _records(database):
    """What the relay would send, caught by a broker in memory."""
    memory = MemoryBroker()
    events.fill_outbox(database, EVENTS)
    relay = Relay(database, memory.publisher())
    with database.autocommit() as connection:
        _drain(relay, connection)
    return [record for log in memory.partitions.values() for record in log]


def _relayed(database, connection, publisher):
    events.fill_outbox(database, EVENTS)
    relay = Relay(database, publisher)
    return _timed(lambda: _drain(relay, connection))


def _drain(relay, connection):
    while relay.round(connection, set(range(SHARDS))):
        pass


def _send(producer, records):
    for start in range(0, len(records), BATCH):
        futures = [
            producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
            for record in records[start : start + BATCH]
        ]
        producer.flush()
        for future in futures:
            future.get(timeout=30)


def _timed(work):
    """Events a second, and microseconds of this process' processor time an event."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return EVENTS / (time.perf_counter() - started), (time.process_time() - cpu) / EVENTS * 1e6
