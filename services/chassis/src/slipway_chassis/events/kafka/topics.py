"""Topics through kafka-python's admin client: create, look, read from end to end, purge; for both clients."""

import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource
from kafka.errors import KafkaError, TopicAlreadyExistsError

from ...config import KafkaSettings
from ...errors import BrokerUnavailable, ConfigurationError
from ..dead_letters import DLQ
from ..ports import Partition, Record
from .bearer_tokens import provider_of
from .connecting import kafka_python
from .prefixes import of_environment, on_broker, received

log = logging.getLogger(__name__)

# What a broker answers at once, and so what a consumer holds in memory, however large its records are. A single
# record that is larger comes all the same.
FETCH_BYTES = 8 * 1024 * 1024
# A member that was killed is noticed after this long, where nobody knows before that its process has ended.
SESSION_TIMEOUT_MS = 10_000
# A member hears of a rebalance in the answer to its heartbeat: everybody waits for the one that hears of it last.
HEARTBEAT_MS = 500
SEGMENT_MS = str(12 * 60 * 60 * 1000)
CLEANED_WITHIN = timedelta(hours=12)  # after which Kafka has surely deleted what it may delete
LONGEST_MS = 100 * 365 * 24 * 60 * 60 * 1000


@contextmanager
def wrapped(doing: str) -> Iterator[None]:
    """Errors of the client as ours; ``doing`` says what was tried."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(f"Kafka: {doing}: {type(error).__name__}: {error}") from error


def ping(settings: KafkaSettings) -> None:
    """Raises BrokerUnavailable when no bootstrap server accepts a connection, or nobody gives a token for it: clients
    try again and again, and do not say why.
    """
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        provider_of(settings).current()
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
        admin = KafkaAdminClient(**kafka_python(settings), bootstrap_timeout_ms=10_000)
        try:
            yield admin
        finally:
            admin.close()


def ensure_topics(settings: KafkaSettings, topics: Sequence[str]) -> None:
    """Creates missing topics; where others own them (``KAFKA_CREATE_TOPICS=false``) requires that they exist."""
    with _admin(settings) as admin:
        create_missing(admin, settings, on_broker(settings.kafka_prefix, topics))


def create_missing(admin: KafkaAdminClient, settings: KafkaSettings, topics: Sequence[str]) -> None:
    """``ensure_topics`` on a connection that is there, by the broker's names."""
    missing = sorted(set(topics) - ids_of(admin, topics).keys())
    if missing and not settings.kafka_create_topics:
        raise BrokerUnavailable(f"Kafka: topics are missing: {', '.join(missing)}")
    for topic in missing:
        _create_topic(admin, topic, settings.kafka_topic_partitions)


def ids_of(admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, str]:
    """The topics that exist, and their ids: a topic that is made anew has another one."""
    described = admin.describe_topics(list(dict.fromkeys(topics))) if topics else []
    return {one["name"]: str(one["topic_id"]) for one in described if not one["error_code"]}


def topic_ids(settings: KafkaSettings, topics: Sequence[str]) -> dict[str, str]:
    """``ids_of`` on a connection of its own. An offset is committed with its topic's id: it says nothing of another
    topic that later has the same name.
    """
    with _admin(settings) as admin:
        return ids_of(admin, topics)


def longest_life(settings: KafkaSettings, topics: Sequence[str]) -> timedelta | None:
    """How long a record of these topics may be readable at most; None: for ever. Kafka deletes whole segments, so the
    time that one is written to comes on top of the retention.
    """
    with _admin(settings) as admin:
        resources = [ConfigResource("TOPIC", topic) for topic in on_broker(settings.kafka_prefix, topics)]
        described = admin.describe_configs(resources, config_filter="all")
    lives = [_life(configs) for by_name in described.values() for configs in by_name.values()]
    known = [life for life in lives if life is not None]
    return max(known) if known and len(known) == len(lives) else None


def _life(configs: Mapping[str, Any]) -> timedelta | None:
    retention = int(configs["retention.ms"]["value"])
    if retention < 0 or "delete" not in configs["cleanup.policy"]["value"]:
        return None
    # Dates are the end of what datetime can say.
    milliseconds = min(retention + int(configs["segment.ms"]["value"]), LONGEST_MS)
    return timedelta(milliseconds=milliseconds) + CLEANED_WITHIN


def list_topics(settings: KafkaSettings) -> list[str]:
    """Those of this environment, by their names without its prefix."""
    with _admin(settings) as admin:
        return sorted(of_environment(settings.kafka_prefix, admin.list_topics()))


def _create_topic(admin: KafkaAdminClient, topic: str, partitions: int) -> None:
    try:
        # replication_factor -1: the brokers' default, 1 on a laptop and 3 in earnest
        options: dict[str, object] = {"num_partitions": partitions, "replication_factor": -1}
        # A letter waits for a person: one that expired could never be replayed. Other records must not outlive what
        # the inbox remembers by the week in which Kafka fills a segment.
        options["configs"] = {"retention.ms": "-1"} if topic.endswith(f".{DLQ}") else {"segment.ms": SEGMENT_MS}
        admin.create_topics({topic: options}, wait_for_metadata=True)
        log.info("created the topic %s with %d partitions", topic, partitions)
    except TopicAlreadyExistsError:
        log.debug("the topic %s was created by another process meanwhile", topic)


def read_topic(settings: KafkaSettings, topic: str) -> Iterator[Record]:
    """Every record the topic holds now, each partition's in order; joins no group and commits nothing."""
    ping(settings)
    [topic] = on_broker(settings.kafka_prefix, [topic])
    with wrapped(f"reading {topic}"):
        consumer = KafkaConsumer(
            **kafka_python(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            fetch_max_bytes=FETCH_BYTES,
        )
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not partitions:
                raise ConfigurationError(f"there is no topic {topic}; `slipway dlq ls` lists those with dead letters")
            consumer.assign(partitions)
            consumer.seek_to_beginning()
            ends = consumer.end_offsets(partitions)
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                for polled in consumer.poll(timeout_ms=1_000).values():
                    records = (record_of(one) for one in polled if one.offset < ends[_of(one)])
                    yield from (received(settings.kafka_prefix, one) for one in records)
        finally:
            consumer.close()


def record_of(polled: Any) -> Record:
    """A record of kafka-python as one of ours."""
    return Record(
        topic=polled.topic,
        key=polled.key,
        value=polled.value,
        headers=tuple(polled.headers),
        partition=polled.partition,
        offset=polled.offset,
        timestamp_ms=polled.timestamp,
    )


def _of(polled: object) -> TopicPartition:
    return TopicPartition(polled.topic, polled.partition)  # type: ignore[attr-defined]


def purge_topic(settings: KafkaSettings, before: Mapping[Partition, int]) -> None:
    """Deletes the records before the given offsets, for good."""
    with _admin(settings) as admin:
        admin.delete_records(
            {TopicPartition(f"{settings.kafka_prefix}{topic}", number): end for (topic, number), end in before.items()}
        )
