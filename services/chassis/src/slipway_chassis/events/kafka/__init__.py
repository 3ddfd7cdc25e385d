"""Kafka: the only package that knows a Kafka client.

``KAFKA_CLIENT`` chooses between kafka-python (the default, pure Python) and confluent-kafka (faster, in C);
both stand behind the ports of ``slipway_chassis.events.ports`` and pass the same tests.
"""

import importlib.util
from collections.abc import Sequence

from ...config import KafkaSettings
from ...errors import ConfigurationError
from ..ports import Publisher, Subscription
from .groups import Committed, Group, Groups, Member, consumer_id
from .prefixes import PrefixedPublisher, PrefixedSubscription, on_broker
from .topic_watch import TopicWatch
from .topics import ensure_topics, list_topics, longest_life, ping, purge_topic, read_topic

__all__ = [
    "Committed",
    "Group",
    "Groups",
    "Member",
    "TopicWatch",
    "consumer_id",
    "ensure_topics",
    "list_topics",
    "longest_life",
    "ping",
    "publisher",
    "purge_topic",
    "read_topic",
    "subscription",
]


def publisher(settings: KafkaSettings, *, client_id: str) -> Publisher:
    """Connects a producer; BrokerUnavailable when no broker answers."""
    connected = _client_publisher(settings, client_id)
    return PrefixedPublisher(connected, settings.kafka_prefix) if settings.kafka_prefix else connected


def _client_publisher(settings: KafkaSettings, client_id: str) -> Publisher:
    if settings.kafka_client == "confluent-kafka":
        _require_confluent()
        from .confluent_client import ConfluentPublisher  # noqa: PLC0415 # an optional dependency

        return ConfluentPublisher(settings, client_id=client_id)
    from .python_client import PythonPublisher  # noqa: PLC0415 # the other client need not be loaded

    return PythonPublisher(settings, client_id=client_id)


def subscription(settings: KafkaSettings, *, group: str, topics: Sequence[str], client_id: str) -> Subscription:
    """Joins the group; BrokerUnavailable when no broker answers."""
    group, *topics = on_broker(settings.kafka_prefix, [group, *topics])
    joined = _client_subscription(settings, group, topics, client_id)
    return PrefixedSubscription(joined, settings.kafka_prefix) if settings.kafka_prefix else joined


def _client_subscription(settings: KafkaSettings, group: str, topics: Sequence[str], client_id: str) -> Subscription:
    if settings.kafka_client == "confluent-kafka":
        _require_confluent()
        from .confluent_client import ConfluentSubscription  # noqa: PLC0415 # an optional dependency

        return ConfluentSubscription(settings, group=group, topics=topics, client_id=client_id)
    from .python_client import PythonSubscription  # noqa: PLC0415

    return PythonSubscription(settings, group=group, topics=topics, client_id=client_id)


def _require_confluent() -> None:
    if importlib.util.find_spec("confluent_kafka") is None:
        raise ConfigurationError(
            "KAFKA_CLIENT is confluent-kafka, and the package is missing: pip install 'slipway-chassis[confluent]'"
        )
