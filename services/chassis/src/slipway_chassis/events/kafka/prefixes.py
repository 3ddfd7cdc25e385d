"""Environments that share brokers: ``KAFKA_PREFIX`` stands before the name of each topic and of each group.

Inside of a process names are those of the contracts, and so are they in the outbox, the inbox, headers and metrics: an
environment's name says nothing about an event. Here is the one place where the prefix is put on and taken off.
"""

from collections.abc import Iterable, Mapping, Sequence

from ...errors import PublishFailed
from ..ports import Partition, Publisher, Record, Subscription


def on_broker(prefix: str, names: Iterable[str]) -> list[str]:
    """What the broker calls topics or groups that are called ``names`` here."""
    return [f"{prefix}{name}" for name in names]


def of_environment(prefix: str, names: Iterable[str]) -> list[str]:
    """Of the broker's names those of this environment, as they are called here."""
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def received(prefix: str, record: Record) -> Record:
    """A record from the broker, with the topic's name of here."""
    return record._replace(topic=record.topic.removeprefix(prefix))


class PrefixedPublisher:
    """A publisher whose topics have the prefix on the broker."""

    def __init__(self, publisher: Publisher, prefix: str) -> None:
        self._publisher = publisher
        self._prefix = prefix

    def publish(self, records: Sequence[Record]) -> list[PublishFailed | None]:
        return self._publisher.publish([one._replace(topic=f"{self._prefix}{one.topic}") for one in records])

    def close(self) -> None:
        self._publisher.close()


class PrefixedSubscription:
    """A subscription to topics that have the prefix on the broker."""

    def __init__(self, subscription: Subscription, prefix: str) -> None:
        self._subscription = subscription
        self._prefix = prefix

    def poll(self, *, timeout: float, limit: int) -> list[Record]:
        return [received(self._prefix, one) for one in self._subscription.poll(timeout=timeout, limit=limit)]

    def assigned(self) -> set[Partition]:
        return {(topic.removeprefix(self._prefix), number) for topic, number in self._subscription.assigned()}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        self._subscription.commit(self._outward(offsets))

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        self._subscription.seek(self._outward(offsets))

    def lag(self) -> int:
        return self._subscription.lag()

    def close(self) -> None:
        self._subscription.close()

    def _outward(self, offsets: Mapping[Partition, int]) -> dict[Partition, int]:
        return {(f"{self._prefix}{topic}", number): offset for (topic, number), offset in offsets.items()}
