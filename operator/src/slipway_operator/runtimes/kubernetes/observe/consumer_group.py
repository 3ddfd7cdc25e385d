"""Who is in a consumer group: the brokers are asked while consumers are handed over.

The client blocks, so it is asked in threads. An answer that does not come in time, or can't be understood, says
"nobody knows", never "nobody is there".
"""

import asyncio
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from slipway_chassis.config import KafkaSettings
from slipway_chassis.errors import BrokerUnavailable

from ....planning.facts import Stage
from ....planning.observed import GroupView, Observed
from ....spec.fields import CONSUMING
from ....spec.microservice import MicroserviceSpec
from ..api.addresses import Addresses
from ..api.kinds import VERSION_LABEL
from ..objects.manifests import deployment_name
from .cluster_snapshot import ClusterSnapshot
from .observing import of_component, runs

if TYPE_CHECKING:
    from slipway_chassis.events.kafka.groups import Group, Member

log = logging.getLogger(__name__)

# A look at a service waits for it, and with the look the way back.
ANSWER_SECONDS = 4.0
TIMEOUT_MS = 2_000  # of connecting, and of each request
# Brokers that did not answer are left alone for a while: looks must not queue behind them.
SILENCE_SECONDS = 5.0
AT_ONCE = 4
UNKNOWN = GroupView(known=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """What tells the members of a group apart: parts of client names (pods' names begin so), and pods' addresses."""

    brokers: str  # host:port, separated by commas
    group: str
    names: Mapping[str, str] = field(default_factory=dict)  # to versions
    addresses: Mapping[str, str] = field(default_factory=dict)  # to versions
    pods: frozenset[str] | None = None  # all that run now, by name; None: not known for sure
    stopped: frozenset[str] = frozenset()  # those of ``names`` of which there is no pod, and of which none is wanted

    def version_of(self, client_id: str, host: str) -> str:
        """By name first: it outlives its pod, and addresses are given to others."""
        for name, version in self.names.items():
            if name in client_id:
                return version
        return self.addresses.get(host.removeprefix("/"), "")

    def ended(self, members: "Iterable[Member]", known: Collection[str]) -> "list[Member]":
        """Those whose client is named after a pod that was there (``known``) and is no more, or after one of a
        Deployment that has none. Any other may be of a pod that has only begun.
        """
        if self.pods is None:
            return []
        gone = set(known) - self.pods
        return [
            each
            for each in members
            if not _names_one_of(each, self.pods)
            and (_names_one_of(each, gone) or any(f"-{name}-" in each.client_id for name in self.stopped))
        ]


def _names_one_of(member: "Member", pods: Collection[str]) -> bool:
    return any(member.client_id.endswith(f"-{pod}") for pod in pods)


def handing_over(saw: Observed) -> bool:
    """Whether it matters who is in the group: consumers move, or are not where they belong."""
    consumers = [view.consumers for view in saw.versions.values() if view.consumer]
    release = saw.facts.release
    open_ended = release and release.handover_started and not release.handover_ended
    if consumers and release and (open_ended or release.reached is Stage.HANDING_OVER):
        return True
    running = [each for each in consumers if each.wanted]
    lingering = [each for each in consumers if each.pods and not each.wanted]
    return bool(consumers) and (len(running) != 1 or bool(lingering))


def _group_of(seen: ClusterSnapshot, saw: Observed) -> str:
    """A version's group is part of it: on the way back, consumers join the group of that time."""
    release = saw.facts.release
    record = seen.records.get((release.version if release else saw.active) or "")
    return record.group if record else ""


def membership(seen: ClusterSnapshot, saw: Observed, spec: MicroserviceSpec, brokers: str) -> Membership:
    """How members are told apart. The chassis puts the pod's name into the client's.

    Pods are read from the storage itself while a release is open, and from what somebody remembers else.
    """
    service = seen.microservice["metadata"]["name"]
    return Membership(
        brokers=brokers,
        group=_group_of(seen, saw) or (spec.events.group if spec.events else ""),
        names={deployment_name(service, version, name): version for version in seen.records for name in CONSUMING},
        addresses={
            address["ip"]: pod["metadata"]["labels"][VERSION_LABEL]
            for name in CONSUMING
            for pod in of_component(seen.pods, name)
            if VERSION_LABEL in pod["metadata"]["labels"]
            for address in pod.get("status", {}).get("podIPs") or []
        },
        pods=frozenset(each["metadata"]["name"] for each in seen.pods if runs(each)) if seen.pods_are_new else None,
        stopped=frozenset(
            deployment_name(service, version, view.consumer)
            for version, view in saw.versions.items()
            if view.consumer and not view.consumers.wanted and not view.consumers.pods
        ),
    )


class GroupInspector(Protocol):
    async def inspect(self, membership: Membership) -> GroupView:
        """Who is in the group."""


class Connection(Protocol):
    """Connects when it is first asked, and again after an error; see ``slipway_chassis.events.kafka.Groups``."""

    def describe(self, group: str) -> "Group":
        """Raises BrokerUnavailable when the group can't be described for sure."""

    def remove(self, group: str, members: "Sequence[Member]") -> None:
        """Raises BrokerUnavailable when nobody does."""

    def close(self) -> None: ...


def view_of(group: "Group", membership: Membership) -> GroupView:
    members = Counter(membership.version_of(member.client_id, member.host) for member in group.members)
    return GroupView(known=True, members=dict(members), settled=group.settled)


class BrokerInspector:
    """One connection per address of brokers."""

    def __init__(
        self,
        connect: Callable[[str], Connection] | None = None,
        *,
        addresses: Addresses | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``addresses``: which ones names may lead to; None: any."""
        connect = connect or connecting(_in_plain_text)
        self._connect = _checked(connect, addresses) if addresses else connect
        self._answer_seconds = answer_seconds
        self._clock = clock
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="brokers")
        self._brokers: dict[str, _Brokers] = {}

    async def inspect(self, membership: Membership) -> GroupView:
        brokers = self._brokers.setdefault(membership.brokers, _Brokers(membership.brokers, self._connect))
        if self._clock() < brokers.silent_until:
            return UNKNOWN
        asked = asyncio.get_running_loop().run_in_executor(self._threads, brokers.describe, membership)
        try:
            async with asyncio.timeout(self._answer_seconds):
                # Shielded: a thread can't be ended, and what it throws later must be heard by somebody.
                described = await asyncio.shield(asked)
        except (TimeoutError, BrokerUnavailable) as error:
            asked.add_done_callback(lambda late: late.cancelled() or late.exception())
            brokers.silent_until = self._clock() + SILENCE_SECONDS
            reason = str(error) or f"no answer within {self._answer_seconds:.0f} s"
            log.warning("the consumer group %s is not known: %s: %s", membership.group, membership.brokers, reason)
            return UNKNOWN
        return view_of(described, membership)

    def close(self) -> None:
        """Does not wait for those who do not answer."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for brokers in self._brokers.values():
            brokers.close()


class _Brokers:
    """A connection, used by one thread at a time."""

    def __init__(self, address: str, connect: Callable[[str], Connection]) -> None:
        self.silent_until = 0.0
        self._address = address
        self._connect = connect
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._pods: dict[str, frozenset[str]] = {}  # by group: those of the last look
        self._removed: dict[str, set[str]] = {}  # by group: clients; who lives nevertheless joins again, and may stay

    def describe(self, membership: Membership) -> "Group":
        """The group as it was. Members whose pods have ended since the last look are removed from it, for the next."""
        group = membership.group
        with self._lock:
            self._connection = self._connection or self._connect(self._address)
            described = self._connection.describe(group)
            ended = membership.ended(described.members, self._pods.get(group, frozenset()))
            before = self._removed.get(group, set())
            leaving = [each for each in ended if each.client_id not in before]
            if leaving:
                self._remove(self._connection, group, leaving)
            there = {each.client_id for each in described.members}
            self._removed[group] = (before & there) | {each.client_id for each in leaving}
            if membership.pods is not None:
                self._pods[group] = membership.pods
            return described

    def _remove(self, connection: Connection, group: str, ended: "Sequence[Member]") -> None:
        log.info("the consumer group %s: %d members of pods that have ended are removed", group, len(ended))
        try:
            connection.remove(group, ended)
        except BrokerUnavailable as error:  # without that right, they leave when their sessions end
            log.warning("the consumer group %s keeps members of pods that have ended: %s", group, error)

    def close(self) -> None:
        if self._lock.acquire(timeout=0.1):
            try:
                if self._connection:
                    self._connection.close()
                self._connection = None
            finally:
                self._lock.release()


def _checked(connect: Callable[[str], Connection], addresses: Addresses) -> Callable[[str], Connection]:
    """In the thread that connects. Names in the brokers' own answers are the client's affair, and a NetworkPolicy's."""

    def checked(brokers: str) -> Connection:
        for each in brokers.split(","):
            host, _, port = each.rpartition(":")
            for canonical, found in _resolved(host, int(port)):
                if addresses.leads_astray(host, int(port), canonical, found):
                    raise BrokerUnavailable(f"{host} leads to {found}, which is not asked")
        return connect(brokers)

    return checked


def _resolved(host: str, port: int) -> list[tuple[str, str]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except OSError as error:
        raise BrokerUnavailable(f"{host} can't be resolved: {error}") from None
    canonical = next((name for *_, name, _ in found if name), "")
    return [(canonical, str(address[0])) for *_, address in found]


def _in_plain_text(brokers: str) -> KafkaSettings:
    return KafkaSettings(kafka_bootstrap_servers=brokers)


def connecting(settings_of: Callable[[str], KafkaSettings]) -> Callable[[str], Connection]:
    """``settings_of``: how brokers (``host:port,host:port``) are spoken to."""

    def connect(brokers: str) -> Connection:
        # 20 MB that are not needed where no broker is asked.
        from slipway_chassis.events.kafka.groups import Groups  # noqa: PLC0415

        return Groups(settings_of(brokers), client_id="slipway-operator", timeout_ms=TIMEOUT_MS)

    return connect
