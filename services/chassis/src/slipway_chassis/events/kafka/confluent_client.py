"""Kafka through confluent-kafka (librdkafka): the same promises at a fraction of the processor time."""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from ...config import KafkaSettings
from ...errors import BrokerUnavailable, PublishFailed, SubscriptionOutdated
from ..ports import Partition, Record
from .calls_in_vain import CallsInVain
from .connecting import librdkafka
from .topics import FETCH_BYTES, HEARTBEAT_MS, SESSION_TIMEOUT_MS, ping, topic_ids

log = logging.getLogger(__name__)
DELIVERY_TIMEOUT_MS = 30_000
# What no later try can mend. librdkafka's own retriable() means its retries, which are over by then.
PERMANENT = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.INVALID_MSG,
    KafkaError.POLICY_VIOLATION,
    KafkaError.INVALID_RECORD,
}


class ConfluentPublisher:
    """Idempotent producer with acks=all."""

    def __init__(self, settings: KafkaSettings, *, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self._in_vain = CallsInVain()
        self._producer: Producer | None = self._connect()

    def _connect(self) -> Producer:
        ping(self._settings)
        return Producer(
            {
                **librdkafka(self._settings),
                "client.id": self._client_id,
                "enable.idempotence": True,
                "linger.ms": 1,
                "compression.type": "gzip",
                "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
                "request.timeout.ms": 10_000,
                "allow.auto.create.topics": False,
                # As python_client and Java's clients do it; librdkafka's own default is CRC32.
                "partitioner": "murmur2_random",
                "log_level": 3,
            },
            logger=log,
        )

    def publish(self, records: Sequence[Record]) -> list[PublishFailed | None]:
        unanswered = PublishFailed("no answer from the broker", retriable=True)
        outcomes: list[PublishFailed | None] = [unanswered] * len(records)
        producer = self._producer = self._producer or self._connect()
        is_ended = False

        def delivered(number: int, error: KafkaError | None, _message: Message) -> None:
            nonlocal is_ended
            is_ended = is_ended or (error is not None and error.fatal())
            outcomes[number] = None if error is None else _failure(error)

        for number, record in enumerate(records):
            try:
                producer.produce(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                    on_delivery=partial(delivered, number),
                )
            except KafkaException as error:
                outcomes[number] = _failure(error.args[0])
            except BufferError:
                outcomes[number] = PublishFailed("the producer's buffer is full", retriable=True)
        producer.flush(DELIVERY_TIMEOUT_MS / 1000 + 5)
        if self._in_vain.too_many(outcomes) or is_ended:
            # A fatal error ends an idempotent producer for good: the next call connects a new one.
            self._in_vain = CallsInVain()
            producer.purge()
            self._producer = None
        return outcomes

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(5)


def _failure(error: KafkaError) -> PublishFailed:
    return PublishFailed(f"{error.name()}: {error.str()}", retriable=error.code() not in PERMANENT)


class ConfluentSubscription:
    """A consumer with cooperative assignment."""

    def __init__(self, settings: KafkaSettings, *, group: str, topics: Sequence[str], client_id: str) -> None:
        ping(settings)
        self._consumer = Consumer(
            {
                **librdkafka(settings),
                "client.id": client_id,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": HEARTBEAT_MS,
                "max.poll.interval.ms": 300_000,
                "fetch.max.bytes": FETCH_BYTES,
                "queued.max.messages.kbytes": FETCH_BYTES // 1024,
                "allow.auto.create.topics": False,
                "log_level": 3,
            },
            logger=log,
        )
        self._consumer.subscribe(list(topics))
        self._ids = topic_ids(settings, topics)
        self._checked: set[Partition] = set()  # partitions whose committed offset is of the topic that is there
        self._broken: SubscriptionOutdated | None = None

    def poll(self, *, timeout: float, limit: int) -> list[Record]:
        if self._broken:
            raise self._broken
        if not limit:
            self._take_part(timeout)
            return []
        # consume() waits until it has ``limit`` messages: wait for the first one, then take what is there.
        first = self._consumer.poll(timeout)
        rewound = self._rewound()
        if first is None:
            return []
        messages = [first, *self._consumer.consume(limit - 1, timeout=0)]
        records = [_record(message) for message in messages if self._is_record(message)]
        return [one for one in records if (one.topic, one.partition) not in rewound] if rewound else records

    def _rewound(self) -> set[Partition]:
        """New partitions whose committed offset is of a former topic of that name: they begin at the beginning."""
        assigned = self.assigned()
        if assigned == self._checked:
            return set()
        new = [TopicPartition(*partition) for partition in assigned - self._checked]
        rewound = set()
        try:
            for committed in self._consumer.committed(new, timeout=10) if new else ():
                if (committed.metadata or "") not in {"", self._ids.get(committed.topic, "")}:
                    self._consumer.seek(TopicPartition(committed.topic, committed.partition, OFFSET_BEGINNING))
                    rewound.add((committed.topic, committed.partition))
        except KafkaException as error:
            raise BrokerUnavailable(f"Kafka: asking for committed offsets: {error}") from error
        self._checked = assigned
        return rewound

    def _take_part(self, timeout: float) -> None:
        """A poll that brings nothing: what it would have brought comes with a later one."""
        paused = self._consumer.assignment()
        self._consumer.pause(paused)
        try:
            message = self._consumer.poll(timeout)
            if message is not None and self._is_record(message):  # of a partition that was assigned meanwhile
                self.seek({(message.topic() or "", message.partition() or 0): message.offset() or 0})
        finally:
            assigned = self.assigned()
            self._consumer.resume([one for one in paused if (one.topic, one.partition) in assigned])

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            # Said at the next poll: what was read with it must not be lost.
            self._broken = SubscriptionOutdated(f"Kafka: polling: {error.str()}")
        else:
            log.warning("polling: %s", error.str())
            time.sleep(0.1)  # librdkafka goes on by itself; this keeps the log short while it can't
        return False

    def assigned(self) -> set[Partition]:
        return {(one.topic, one.partition) for one in self._consumer.assignment()}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        try:
            self._consumer.commit(
                offsets=[
                    TopicPartition(topic, number, offset, self._ids.get(topic, ""))
                    for (topic, number), offset in offsets.items()
                ],
                asynchronous=False,
            )
        except KafkaException as error:
            raise BrokerUnavailable(f"Kafka: committing offsets: {error}") from error

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        assigned = self.assigned()
        for (topic, number), offset in offsets.items():
            if (topic, number) in assigned:
                try:
                    self._consumer.seek(TopicPartition(topic, number, offset))
                except KafkaException as error:
                    raise BrokerUnavailable(f"Kafka: seeking: {error}") from error

    def lag(self) -> int:
        waiting = 0
        try:
            for position in self._consumer.position(self._consumer.assignment()):
                _, end = self._consumer.get_watermark_offsets(position, cached=True)
                waiting += max(0, end - position.offset) if position.offset >= 0 <= end else 0
        except KafkaException as error:
            raise BrokerUnavailable(f"Kafka: asking for the lag: {error}") from error
        return waiting

    def close(self) -> None:
        self._consumer.close()


def _record(message: Message) -> Record:
    return Record(
        topic=message.topic() or "",
        key=message.key(),
        value=message.value(),
        headers=tuple((name, value) for name, value in message.headers() or ()),
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        timestamp_ms=message.timestamp()[1],
    )
