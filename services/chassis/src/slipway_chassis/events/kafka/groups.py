"""Who is in a consumer group, and whether it has committed: what a release asks before it hands consumers over."""

from dataclasses import dataclass

from kafka import KafkaAdminClient

from ...config import KafkaSettings
from ...errors import BrokerUnavailable
from .topics import ping, wrapped

AT_REST = {"Stable", "Empty", "Dead"}  # of a classic group; else members come or go just now
REQUEST_MS = 5_000


@dataclass(frozen=True, slots=True)
class Group:
    """``clients``: the client id of each member. ``rests``: no rebalance goes on."""

    clients: tuple[str, ...]
    rests: bool


class Groups:
    """Asks the brokers, on one connection; BrokerUnavailable while none answers."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin: KafkaAdminClient | None = None

    def describe(self, group: str) -> Group:
        """A group that nobody has joined yet has no members and rests."""
        try:
            with wrapped(f"asking for the group {group}"):
                described = self._connected().describe_groups([group])
        except BrokerUnavailable:
            self.close()
            raise
        found = described[group] if isinstance(described, dict) else described[0]
        members = tuple(member["client_id"] for member in found["members"])
        return Group(clients=members, rests=found["group_state"] in AT_REST)

    def close(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def _connected(self) -> KafkaAdminClient:
        if self._admin is None:
            ping(self._settings)
            self._admin = KafkaAdminClient(
                bootstrap_servers=self._settings.kafka_bootstrap_servers.split(","),
                bootstrap_timeout_ms=REQUEST_MS,
                request_timeout_ms=REQUEST_MS,
            )
        return self._admin


def consumer_id(group: str, version: str, host: str) -> str:
    """The client id of a consumer: brokers show it, and a release tells the versions of members apart by it."""
    return f"{group}-consumer-{version}-{host}"
