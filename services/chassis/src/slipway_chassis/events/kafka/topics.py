"""Topics through kafka-python's admin client: create, look, read from end to end, purge; for both clients."""

import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, TopicAlreadyExistsError

from ...config import KafkaSettings
from ...errors import BrokerUnavailable, ConfigurationError
from ..dead_letters import DLQ
from ..ports import Partition, Record

log = logging.getLogger(__name__)


@contextmanager
def wrapped(doing: str) -> Iterator[None]:
    """Errors of the client as ours; ``doing`` says what was tried."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(f"Kafka: {doing}: {type(error).__name__}: {error}") from error


def ping(settings: KafkaSettings) -> None:
    """Raises BrokerUnavailable when no bootstrap server accepts a connection."""
    reasons = []
    for server in settings.kafka_bootstrap_servers.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError as error:
            reasons.append(f"{server}: {error}")
        else:
            return
    raise BrokerUnavailable("Kafka: " + ", ".join(reasons))


@contextmanager
def _admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    ping(settings)
    with wrapped("asking the brokers"):
        admin = KafkaAdminClient(
            bootstrap_servers=settings.kafka_bootstrap_servers.split(","), bootstrap_timeout_ms=10_000
        )
        try:
            yield admin
        finally:
            admin.close()


def ensure_topics(settings: KafkaSettings, topics: Sequence[str]) -> None:
    """Creates missing topics; where others own them (``KAFKA_CREATE_TOPICS=false``) requires that they exist."""
    with _admin(settings) as admin:
        missing = sorted(set(topics) - set(admin.list_topics()))
        if missing and not settings.kafka_create_topics:
            raise BrokerUnavailable(f"Kafka: topics are missing: {', '.join(missing)}")
        for topic in missing:
            _create_topic(admin, topic, settings.kafka_topic_partitions)


def list_topics(settings: KafkaSettings) -> list[str]:
    with _admin(settings) as admin:
        return sorted(admin.list_topics())


def _create_topic(admin: KafkaAdminClient, topic: str, partitions: int) -> None:
    try:
        # replication_factor -1: the brokers' default, 1 on a laptop and 3 in earnest
        options: dict[str, object] = {"num_partitions": partitions, "replication_factor": -1}
        if topic.endswith(f".{DLQ}"):
            # A letter waits for a person: one that expired could never be replayed.
            options["configs"] = {"retention.ms": "-1"}
        admin.create_topics({topic: options}, wait_for_metadata=True)
        log.info("created the topic %s with %d partitions", topic, partitions)
    except TopicAlreadyExistsError:
        log.debug("the topic %s was created by another process meanwhile", topic)


def read_topic(settings: KafkaSettings, topic: str) -> Iterator[Record]:
    """Every record the topic holds now, each partition's in order; joins no group and commits nothing."""
    ping(settings)
    with wrapped(f"reading {topic}"):
        consumer = KafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers.split(","),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
        )
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not partitions:
                raise ConfigurationError(f"there is no topic {topic}; `slipway dlq ls` lists those with dead letters")
            consumer.assign(partitions)
            consumer.seek_to_beginning()
            ends = consumer.end_offsets(partitions)
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                for received in consumer.poll(timeout_ms=1_000).values():
                    yield from (record_of(one) for one in received if one.offset < ends[_of(one)])
        finally:
            consumer.close()


def record_of(received: Any) -> Record:
    """A record of kafka-python as one of ours."""
    return Record(
        topic=received.topic,
        key=received.key,
        value=received.value,
        headers=tuple(received.headers),
        partition=received.partition,
        offset=received.offset,
        timestamp_ms=received.timestamp,
    )


def _of(received: object) -> TopicPartition:
    return TopicPartition(received.topic, received.partition)  # type: ignore[attr-defined]


def purge_topic(settings: KafkaSettings, before: Mapping[Partition, int]) -> None:
    """Deletes the records before the given offsets, for good."""
    with _admin(settings) as admin:
        admin.delete_records({TopicPartition(*partition): offset for partition, offset in before.items()})
