"""The broker as relay and consumer see it. ``kafka`` implements these; ``slipway_chassis.testing`` fakes them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ..errors import PublishFailed


class Record(NamedTuple):
    """One Kafka record. ``partition``, ``offset`` and ``timestamp_ms`` are known only of received ones.

    A tuple: there may be many thousands a second, and a tuple is made in a third of the time.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int = -1
    offset: int = -1
    timestamp_ms: int = -1

    def header(self, name: str) -> str:
        """The header's text; empty when it is missing or no UTF-8."""
        for key, value in self.headers:
            if key == name:
                return (value or b"").decode("utf-8", errors="replace")
        return ""


class Publisher(Protocol):
    """Sends records to the broker, in order per key."""

    def publish(self, records: Sequence[Record]) -> list[PublishFailed | None]:
        """Sends the records and waits; per record None (acknowledged by all replicas) or why not."""
        ...

    def close(self) -> None:
        """Waits some seconds for what is under way, and disconnects."""


Partition = tuple[str, int]
"""A topic's name and the number of one of its partitions."""


class Subscription(Protocol):
    """A member of a consumer group. Offsets are committed only by ``commit``."""

    def poll(self, *, timeout: float, limit: int) -> list[Record]:
        """Records of the assigned partitions, each partition's in order; empty after ``timeout`` seconds. At most
        ``limit`` of them, and some megabytes at a time however large they are; 0 takes part in the group alone.
        """
        ...

    def assigned(self) -> set[Partition]:
        """The partitions that are this member's now."""
        ...

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Stores per partition the offset of the next record to read after a restart."""
        ...

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Makes the next poll begin at these offsets; partitions that went to others are passed over."""
        ...

    def lag(self) -> int:
        """Records of the assigned partitions that were not polled yet."""
        ...

    def close(self) -> None:
        """Leaves the group, so that its partitions move on at once."""
        ...
