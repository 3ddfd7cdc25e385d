"""The broker as relay and consumer see it. ``kafka`` implements these; ``slipway_chassis.testing`` fakes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import PublishFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One Kafka record. ``partition``, ``offset`` and ``timestamp_ms`` are known only of received ones."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int = -1
    offset: int = -1
    timestamp_ms: int = -1

    def header(self, name: str) -> str:
        """The header's text; empty when it is missing or no UTF-8."""
        value = next((value for key, value in self.headers if key == name), b"")
        return (value or b"").decode("utf-8", errors="replace")


class Publisher(Protocol):
    def publish(self, records: Sequence[Record]) -> list[PublishFailed | None]:
        """Sends the records and waits; per record None (acknowledged by all replicas) or why not."""
        ...

    def close(self) -> None: ...


class Subscription(Protocol):
    """A member of a consumer group. Offsets are committed only by ``commit``."""

    def poll(self, *, timeout: float, limit: int) -> list[Record]:
        """Records of the assigned partitions, each partition's in order; empty after ``timeout`` seconds."""
        ...

    def commit(self, done: Sequence[Record]) -> None:
        """Stores the position behind the last of ``done`` of each partition."""
        ...

    def rewind(self, undone: Sequence[Record]) -> None:
        """Makes the next poll begin at the first of ``undone`` of each partition."""
        ...

    def lag(self) -> int:
        """Records of the assigned partitions that were not polled yet."""
        ...

    def close(self) -> None:
        """Leaves the group, so that its partitions move on at once."""
        ...
