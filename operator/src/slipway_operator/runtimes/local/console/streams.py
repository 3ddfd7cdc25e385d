"""Topics, groups and dead letters, as the broker has them. ``streams_of`` is pure."""

from collections.abc import Iterable, Mapping, Sequence

from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events.dead_letters import DLQ, RETRY
from slipway_chassis.events.kafka import Committed, Groups
from slipway_chassis.events.ports import Partition

from ....console.model import Consumers, DeadLetters, Lag, Streams
from ....spec.fields import CONSUMING
from ..system import Service
from .addresses import Addresses

TIMEOUT_MS = 2_000
Ranges = Mapping[Partition, tuple[int, int]]  # first offset, and that of the record that comes next


class BrokerLook:
    """Asks on one connection, kept while somebody watches. One thread at a time."""

    def __init__(self, addresses: Addresses, services: Sequence[Service]) -> None:
        self._addresses = addresses
        self._services = [service for service in services if set(CONSUMING) & set(service.processes)]
        self._groups: Groups | None = None

    def look(self) -> Streams:
        """BrokerUnavailable when no broker answers; of a single group that can't be described the reason."""
        settings = self._addresses.broker()
        if settings is None:
            return Streams()
        if self._groups is None:
            self._groups = Groups(settings, client_id="slipway-console", timeout_ms=TIMEOUT_MS)
        groups = self._groups
        ranges = groups.ranges()
        return streams_of(ranges, [self._consumers(groups, service, ranges) for service in self._services])

    def _consumers(self, groups: Groups, service: Service, ranges: Ranges) -> Consumers:
        if elsewhere := self._addresses.elsewhere(service.name):
            return Consumers(
                service.group, trouble=f"its brokers are {elsewhere}: only the one that runs here is asked"
            )
        try:
            described = groups.describe(service.group)
            lags = lags_of(groups.committed(service.group), ranges)
        except BrokerUnavailable as error:
            return Consumers(service.group, trouble=str(error))
        return Consumers(service.group, described.state, tuple(each.client_id for each in described.members), lags)

    def rest(self) -> None:
        """Nobody watches: the connection is given back."""
        if self._groups:
            self._groups.close()


def lags_of(committed: Mapping[Partition, Committed], ranges: Ranges) -> tuple[Lag, ...]:
    """By topic. What was deleted before it was read is not waiting any more."""
    behind: dict[str, int] = {}
    ends: dict[str, int] = {}
    for where, one in committed.items():
        if where in ranges:
            first, end = ranges[where]
            topic = where[0]
            behind[topic] = behind.get(topic, 0) + max(0, end - max(one.offset, first))
            ends[topic] = ends.get(topic, 0) + end
    return tuple(Lag(topic, count, ends[topic]) for topic, count in sorted(behind.items()))


def streams_of(ranges: Ranges, groups: Iterable[Consumers]) -> Streams:
    sizes: dict[str, int] = {}
    for (topic, _), (first, end) in sorted(ranges.items()):
        sizes[topic] = sizes.get(topic, 0) + end - first
    own = {name: size for name, size in sizes.items() if not name.startswith("__")}
    letters = [_letters(name, size) for name, size in own.items() if name.endswith(f".{DLQ}")]
    plain = {name: size for name, size in own.items() if not name.endswith((f".{DLQ}", f".{RETRY}"))}
    return Streams(tuple(plain.items()), tuple(groups), tuple(each for each in letters if each.count))


def _letters(name: str, size: int) -> DeadLetters:
    topic, _, group = name.removesuffix(f".{DLQ}").rpartition(".")
    return DeadLetters(topic, group, size)
