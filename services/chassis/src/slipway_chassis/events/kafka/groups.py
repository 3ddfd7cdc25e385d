"""Who is in a consumer group, and what it has committed: what a release asks before it hands consumers over, and what
a backup keeps.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import MemberToRemove, OffsetSpec
from kafka.errors import KafkaError, NoError
from kafka.net.compat import KafkaNetClient
from kafka.structs import OffsetAndMetadata

from ...config import KafkaSettings
from ...errors import BrokerUnavailable
from ..ports import Partition
from .connecting import kafka_python
from .topics import ids_of, wrapped

SETTLED = {"Stable", "Empty", "Dead"}  # states of a classic group; in the others members come or go
GONE = {"Dead", ""}
TIMEOUT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Member:
    """``host``: its address as the broker sees it, such as ``/10.0.0.1``. ``member_id``: what the broker calls it."""

    client_id: str
    host: str
    member_id: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group in the broker's words. ``state``: Stable, Empty, PreparingRebalance, CompletingRebalance, or
    Dead, which is also one that nobody has joined yet.
    """

    state: str
    members: tuple[Member, ...] = ()

    @property
    def settled(self) -> bool:
        """No rebalance goes on: who is a member now stays one until it leaves or its session ends."""
        return self.state in SETTLED


@dataclass(frozen=True, slots=True)
class Committed:
    """How far a group has come in a partition. ``offset``: of the record that it reads next. ``topic_id``: of the topic
    that it speaks of; empty where another client committed it.
    """

    offset: int
    topic_id: str = ""


class Groups:
    """Asks the brokers of ``settings``, on one connection that is opened by the first question and by the first after
    an error. Groups are called as brokers call them, an environment's prefix included. One thread at a time.

    ``timeout_ms``: how long connecting may take, and how long each request.
    """

    def __init__(self, settings: KafkaSettings, *, client_id: str = "slipway", timeout_ms: int = TIMEOUT_MS) -> None:
        self._connecting = kafka_python(settings)
        self._client_id = client_id
        self._timeout_ms = timeout_ms
        self._admin: KafkaAdminClient | None = None

    def describe(self, group: str) -> Group:
        """Who is in the group now. BrokerUnavailable when no broker answers, and when what it answers does not say for
        sure who is in it, or where an empty group ended: "unknown" must never look like "empty".
        """
        with self._connected() as admin, wrapped(f"asking for the group {group}"):
            return _describe(admin, group)

    def remove(self, group: str, members: Sequence[Member]) -> None:
        """Members whose processes have ended, and that could not say so, leave the group now and not when their session
        ends. One that lives nevertheless joins again. BrokerUnavailable when no broker answers.
        """
        leaving = [MemberToRemove(each.member_id, reason="its process has ended") for each in members if each.member_id]
        if leaving:
            with self._connected() as admin, wrapped(f"removing members of the group {group}"):
                admin.remove_group_members(group, leaving)

    def committed(self, group: str) -> dict[Partition, Committed]:
        """How far the group has come; nothing for a group that has committed nothing yet. BrokerUnavailable when no
        broker answers.
        """
        with self._connected() as admin, wrapped(f"asking for the offsets of the group {group}"):
            found = admin.list_group_offsets([group])[group]
        return {
            (where.topic, where.partition): Committed(one.offset, one.metadata or "")
            for where, one in found.items()
            if one.offset >= 0
        }

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        """The topics that exist, and their ids. BrokerUnavailable when no broker answers."""
        with self._connected() as admin, wrapped("asking for topics"):
            return ids_of(admin, topics)

    def ranges(self) -> dict[Partition, tuple[int, int]]:
        """Of every partition of every topic the first offset, and that of the record that comes next. Topics are called
        as brokers call them. BrokerUnavailable when no broker answers.
        """
        with self._connected() as admin, wrapped("asking how much topics hold"):
            partitions = [
                TopicPartition(topic["name"], one["partition_index"])
                for topic in admin.describe_topics()
                if not topic["is_internal"]
                for one in topic["partitions"]
            ]
            if not partitions:
                return {}
            first = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
            end = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        return {(one.topic, one.partition): (first[one].offset, end[one].offset) for one in partitions}

    def commit(self, group: str, offsets: Mapping[Partition, Committed]) -> None:
        """Sets the group to these offsets, forwards or back; others stay. BrokerUnavailable when no broker answers, and
        when the group has members, which would go on from where they are.
        """
        wanted = {
            TopicPartition(*where): OffsetAndMetadata(one.offset, one.topic_id, -1) for where, one in offsets.items()
        }
        with self._connected() as admin, wrapped(f"setting the offsets of the group {group}"):
            outcomes = admin.alter_group_offsets(group, wanted)
        refused = {where: error for where, error in outcomes.items() if error is not NoError}
        for where, error in refused.items():
            raise BrokerUnavailable(
                f"Kafka: the offset of {group} in {where.topic}/{where.partition} can't be set: {error.__name__}"
            )

    def close(self) -> None:
        """Ends the connection; the next question opens another."""
        admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(KafkaError, OSError):
                admin.close()

    @contextmanager
    def _connected(self) -> Iterator[KafkaAdminClient]:
        """A connection that failed is not used again."""
        if self._admin is None:
            self._admin = self._connect()
        try:
            yield self._admin
        except BaseException:
            self.close()
            raise

    def _connect(self) -> KafkaAdminClient:
        networks: list[KafkaNetClient] = []

        def network(**options: object) -> KafkaNetClient:
            networks.append(KafkaNetClient(**options))
            return networks[-1]

        try:
            with wrapped("connecting"):
                return KafkaAdminClient(
                    **self._connecting,
                    client_id=self._client_id,
                    request_timeout_ms=self._timeout_ms,
                    bootstrap_timeout_ms=self._timeout_ms,
                    reconnect_backoff_max_ms=1_000,
                    kafka_client=network,
                )
        except BaseException:
            for opened in networks:  # where it finds no broker, the client leaves its thread behind
                opened.close()
            raise


def _describe(admin: KafkaAdminClient, group: str) -> Group:
    description = _description(admin, group)
    state = description["group_state"]
    if state not in GONE and description["error"]:
        raise BrokerUnavailable(f"Kafka: the group {group}: {description['error']}")
    if state == "Empty":
        admin.list_group_offsets([group])  # raises where the coordinator does not have them yet
    members = tuple(
        Member(member["client_id"], member["client_host"], member["member_id"]) for member in description["members"]
    )
    return Group(state or "Dead", members)


def _description(admin: KafkaAdminClient, group: str) -> dict[str, Any]:
    """A group that nobody has joined yet does not exist. One of the newer protocol (KIP-848) is not described either,
    though it is there and may have members. One that somebody has joined between two questions is asked for again.
    """
    for _ in range(2):
        description: dict[str, Any] = admin.describe_groups([group])[group]
        gone = description["group_state"] in GONE
        if not gone or all(listed["group_id"] != group for listed in admin.list_groups()):
            return description
    raise BrokerUnavailable(f"Kafka: the group {group} exists and can't be described: it has another protocol")


def consumer_id(group: str, version: str, host: str) -> str:
    """The client id of a consumer: brokers show it, and a release tells the versions of members apart by it."""
    return f"{group}-consumer-{version}-{host}"
