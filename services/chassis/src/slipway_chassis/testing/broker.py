"""Kafka in memory, for tests of handlers and policies. tests/chassis/events/test_broker.py runs on it and on Kafka."""

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import PublishFailed
from ..events.ports import Partition, Record

PARTITIONS = 3
MAX_BYTES = 1_000_000


@dataclass
class MemoryBroker:
    """Topics with partitions, and the committed offsets of groups. One member per group."""

    partitions: dict[tuple[str, int], list[Record]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def publisher(self) -> "MemoryPublisher":
        """What a relay or a consumer sends with."""
        return MemoryPublisher(self)

    def subscription(self, *, group: str, topics: Sequence[str]) -> "MemorySubscription":
        """A member of the group, with all partitions of the topics; it goes on where the group has committed."""
        return MemorySubscription(self, group, topics)

    def records(self, topic: str) -> list[Record]:
        """Everything in a topic, for assertions."""
        return [record for (name, _), log in sorted(self.partitions.items()) if name == topic for record in log]


@dataclass
class MemoryPublisher:
    """Appends to the broker's topics; the same key goes to the same partition."""

    broker: MemoryBroker

    def publish(self, records: Sequence[Record]) -> list[PublishFailed | None]:
        """Per record None, or PublishFailed for a value of more than ``MAX_BYTES``, as a broker would refuse it."""
        return [self._publish(record) for record in records]

    def _publish(self, record: Record) -> PublishFailed | None:
        if len(record.value or b"") > MAX_BYTES:
            return PublishFailed("MessageSizeTooLargeError", retriable=False)
        partition = zlib.crc32(record.key or b"") % PARTITIONS
        log = self.broker.partitions[record.topic, partition]
        log.append(record._replace(partition=partition, offset=len(log), timestamp_ms=0))
        return None

    def close(self) -> None:
        """Nothing to close."""


class MemorySubscription:
    """What a Kafka consumer is for ``slipway_chassis.events``, without rebalances and without waiting."""

    def __init__(self, broker: MemoryBroker, group: str, topics: Sequence[str]) -> None:
        self._broker = broker
        self._group = group
        self._positions = {
            (topic, partition): broker.committed.get((group, topic, partition), 0)
            for topic in topics
            for partition in range(PARTITIONS)
        }

    def poll(self, *, timeout: float, limit: int) -> list[Record]:  # noqa: ARG002 # nothing to wait for
        """Up to ``limit`` records that were not polled yet; an empty list at once where there are none."""
        found: list[Record] = []
        for key, position in self._positions.items():
            taken = self._broker.partitions[key][position : position + limit - len(found)]
            self._positions[key] += len(taken)
            found += taken
        return found

    def assigned(self) -> set[Partition]:
        """All partitions of its topics."""
        return set(self._positions)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Stores the offsets with the broker, for the next member of the group."""
        for (topic, partition), offset in offsets.items():
            self._broker.committed[self._group, topic, partition] = offset

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Makes the next poll begin at these offsets; partitions of other topics are passed over."""
        self._positions |= {partition: offset for partition, offset in offsets.items() if partition in self._positions}

    def lag(self) -> int:
        """Records that were not polled yet."""
        return sum(len(self._broker.partitions[key]) - position for key, position in self._positions.items())

    def close(self) -> None:
        """Nothing to close."""
