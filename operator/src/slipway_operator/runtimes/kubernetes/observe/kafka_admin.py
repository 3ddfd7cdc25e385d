"""Consumer groups by kafka-python's admin client: the one place of the operator that knows Kafka."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from ....errors import BrokerSilent
from .consumer_group import Description

GONE = {"Dead", ""}


class KafkaConnection:
    def __init__(self, address: str, *, connect_ms: int, request_ms: int) -> None:
        made: list[KafkaNetClient] = []

        def network(**options: object) -> KafkaNetClient:
            made.append(KafkaNetClient(**options))
            return made[-1]

        try:
            with _errors():
                self._admin = KafkaAdminClient(
                    bootstrap_servers=address.split(","),
                    client_id="slipway-operator",
                    request_timeout_ms=request_ms,
                    bootstrap_timeout_ms=connect_ms,
                    reconnect_backoff_max_ms=1_000,
                    kafka_client=network,
                )
        except BaseException:
            for each in made:  # where it finds no broker, the client leaves its thread behind
                each.close()
            raise

    def describe(self, group: str) -> Description:
        with _errors():
            found = self._admin.describe_groups([group])[group]
            state = found["group_state"]
            # A group that nobody has joined yet does not exist. One of the newer protocol (KIP-848) is not
            # described either, though it is there and may have members.
            if state in GONE and any(each["group_id"] == group for each in self._admin.list_groups()):
                raise BrokerSilent(f"the group {group} is there and is not described: it has another protocol")
            if state not in GONE and found["error"]:
                raise BrokerSilent(found["error"])
            if state == "Empty":
                self._admin.list_group_offsets([group])  # raises where the coordinator does not have them yet
        members = [(each["client_id"], each["client_host"]) for each in found["members"]]
        return Description(state or "Dead", members)

    def close(self) -> None:
        with suppress(KafkaError, OSError):
            self._admin.close()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError) as error:
        raise BrokerSilent(f"{type(error).__name__}: {error}") from error
