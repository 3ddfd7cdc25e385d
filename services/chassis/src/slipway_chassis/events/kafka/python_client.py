"""Kafka through kafka-python.

The client has an IO thread of its own, so nothing here may be created before a fork. Its callbacks run
on that thread and may not block; hence offsets are committed after each batch and rebalances find
nothing pending.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import kafka.record.util
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.partitioner import DefaultPartitioner
from kafka.structs import OffsetAndMetadata

from ...config import KafkaSettings
from ...errors import ConfigurationError, PublishFailed
from ..ports import Partition, Record
from .calls_in_vain import CallsInVain
from .connecting import kafka_python
from .topics import FETCH_BYTES, HEARTBEAT_MS, SESSION_TIMEOUT_MS, ping, record_of, topic_ids, wrapped

log = logging.getLogger(__name__)

DELIVERY_TIMEOUT_MS = 30_000
PRODUCER = {
    "linger_ms": 5,
    "batch_size": 131_072,
    "compression_type": "gzip",
    "delivery_timeout_ms": DELIVERY_TIMEOUT_MS,
    "request_timeout_ms": 10_000,
    "max_block_ms": 5_000,
    "reconnect_backoff_max_ms": 2_000,
    "bootstrap_timeout_ms": 10_000,
    "allow_auto_create_topics": False,
    "partitioner": DefaultPartitioner(),  # murmur2, as Java's clients do it; confluent_client says the same
}


def require_fast_checksums() -> None:
    """kafka-python falls back to CRC32C in Python without a word: 4 times slower to produce, 7 to consume."""
    if kafka.record.util.crc32c_c is None:
        raise ConfigurationError("the package crc32c is missing: pip install 'kafka-python[crc32c]'")


class PythonPublisher:
    """Idempotent producer with acks=all (the client's defaults): a retry neither doubles nor reorders."""

    def __init__(self, settings: KafkaSettings, *, client_id: str) -> None:
        require_fast_checksums()
        self._settings = settings
        self._client_id = client_id
        self._in_vain = CallsInVain()
        self._producer: KafkaProducer | None = self._connect()

    def _connect(self) -> KafkaProducer:
        ping(self._settings)
        with wrapped("connecting the producer"):
            return KafkaProducer(
                **kafka_python(self._settings),
                client_id=self._client_id,
                **PRODUCER,
            )

    def publish(self, records: Sequence[Record]) -> list[PublishFailed | None]:
        producer = self._producer = self._producer or self._connect()
        unknown: dict[str, PublishFailed] = {}  # topics without metadata: waiting once is enough
        sent = [unknown.get(record.topic) or _send(producer, record, unknown) for record in records]
        try:
            producer.flush(timeout=DELIVERY_TIMEOUT_MS / 1000 + 5)
        except KafkaError as error:
            log.warning("flushing took too long: %s", error)
        outcomes = [one if isinstance(one, PublishFailed) else _outcome(one) for one in sent]
        is_ended = any(o and not o.retriable and o is not s for s, o in zip(sent, outcomes, strict=True))
        if self._in_vain.too_many(outcomes) or is_ended:
            # A broker's refusal (no right to write, too large for the topic) ends an idempotent producer for good: the
            # next call connects a new one.
            self._in_vain = CallsInVain()
            producer.close(timeout=0)
            self._producer = None
        return outcomes

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=5)


def _send(producer: KafkaProducer, record: Record, unknown: dict[str, PublishFailed]) -> Any:
    try:
        return producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
    except TypeError:
        # A header may be null in Kafka, and kafka-python can read such a one, not send it.
        headers = tuple((name, b"" if value is None else value) for name, value in record.headers)
        if headers == record.headers:
            raise
        return _send(producer, record._replace(headers=headers), unknown)
    except KafkaError as error:  # too large, or no metadata within max_block_ms
        failure = PublishFailed(f"{type(error).__name__}: {error}", retriable=error.retriable)
        if isinstance(error, KafkaTimeoutError):
            unknown[record.topic] = failure
        return failure


def _outcome(future: Any) -> PublishFailed | None:
    if future.succeeded():
        return None
    try:
        future.get(timeout=0.1)  # flush has waited already
    except KafkaError as error:
        return PublishFailed(f"{type(error).__name__}: {error}", retriable=error.retriable)
    return None


class PythonSubscription:
    """A consumer with cooperative assignment: a rebalance stops only the partitions that move."""

    def __init__(self, settings: KafkaSettings, *, group: str, topics: Sequence[str], client_id: str) -> None:
        require_fast_checksums()
        ping(settings)
        self._next: dict[TopicPartition, int] = {}
        self._ids = topic_ids(settings, topics)
        self._checked: set[TopicPartition] = set()  # partitions whose committed offset is of the topic that is there
        with wrapped("connecting the consumer"):
            self._consumer = KafkaConsumer(
                *topics,
                **kafka_python(settings),
                client_id=client_id,
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                partition_assignment_strategy=[CooperativeStickyAssignor],
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
                max_poll_interval_ms=300_000,
                fetch_max_bytes=FETCH_BYTES,
                reconnect_backoff_max_ms=2_000,
                bootstrap_timeout_ms=10_000,
                allow_auto_create_topics=False,
            )

    def poll(self, *, timeout: float, limit: int) -> list[Record]:
        self._conclude_joining()
        if not limit:
            self._take_part(timeout)
            return []
        with wrapped("polling"):
            polled = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=limit)
            for partition in self._rewound():
                polled.pop(partition, None)
        for partition, received in polled.items():
            self._next[partition] = received[-1].offset + 1
        return [record_of(one) for received in polled.values() for one in received]

    def _rewound(self) -> list[TopicPartition]:
        """New partitions whose committed offset is of a former topic of that name: they begin at the beginning."""
        assigned = set(self._consumer.assignment())
        rewound = []
        for partition in assigned - self._checked:
            committed = self._consumer.committed(partition, metadata=True, timeout_ms=10_000)
            if committed and committed.metadata not in {"", self._ids.get(partition.topic, "")}:
                self._consumer.seek_to_beginning(partition)
                rewound.append(partition)
        self._checked = assigned
        return rewound

    def _take_part(self, timeout: float) -> None:
        """A poll that brings nothing: what it would have brought comes with a later one."""
        paused = self._consumer.assignment()
        self._consumer.pause(*paused)
        try:
            with wrapped("polling"):
                polled = self._consumer.poll(timeout_ms=int(timeout * 1000))
            for partition, received in polled.items():  # of partitions that were assigned meanwhile
                self._consumer.seek(partition, received[0].offset)
        finally:
            self._consumer.resume(*(paused & self._consumer.assignment()))

    def _conclude_joining(self) -> None:
        """kafka-python 3.0.12 forgets a joining that ends between two polls, if new partitions were its cause: its
        leader then sees none that are new, and stays out of the group without heartbeats, polling in vain. Asked to
        join, it does so again.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 # nothing public tells
        if coordinator.rejoining:
            coordinator.request_rejoin()

    def assigned(self) -> set[Partition]:
        return {(one.topic, one.partition) for one in self._consumer.assignment()}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        with wrapped("committing offsets"):
            self._consumer.commit(
                {
                    TopicPartition(*one): OffsetAndMetadata(offset, self._ids.get(one[0], ""), -1)
                    for one, offset in offsets.items()
                },
                timeout_ms=10_000,
            )

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        assigned = self._consumer.assignment()
        for (topic, number), offset in offsets.items():
            partition = TopicPartition(topic, number)
            self._next[partition] = offset
            if partition in assigned:
                self._consumer.seek(partition, offset)

    def lag(self) -> int:
        ends: Mapping[TopicPartition, int | None] = {
            p: self._consumer.highwater(p) for p in self._consumer.assignment()
        }
        return sum(max(0, end - self._next.get(p, end)) for p, end in ends.items() if end is not None)

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=5_000)
