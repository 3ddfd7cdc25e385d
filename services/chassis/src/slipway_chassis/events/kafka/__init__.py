"""Kafka: the only package that knows a Kafka client.

``KAFKA_CLIENT`` chooses between kafka-python (the default, pure Python) and confluent-kafka (faster, in C);
both stand behind the ports of ``slipway_chassis.events.ports`` and pass the same tests.
"""

from collections.abc import Sequence

from ...config import KafkaSettings
from ...errors import ConfigurationError
from ..ports import Publisher, Subscription
from .topics import ensure_topics, list_topics, ping, purge_topic, read_topic

__all__ = ["ensure_topics", "list_topics", "ping", "publisher", "purge_topic", "read_topic", "subscription"]


def publisher(settings: KafkaSettings, *, client_id: str) -> Publisher:
    """Connects a producer; BrokerUnavailable when no broker answers."""
    if settings.kafka_client == "confluent-kafka":
        return _confluent().ConfluentPublisher(settings, client_id=client_id)
    from .python_client import PythonPublisher  # noqa: PLC0415 # the other client need not be loaded

    return PythonPublisher(settings, client_id=client_id)


def subscription(settings: KafkaSettings, *, group: str, topics: Sequence[str], client_id: str) -> Subscription:
    """Joins the group; BrokerUnavailable when no broker answers."""
    if settings.kafka_client == "confluent-kafka":
        return _confluent().ConfluentSubscription(settings, group=group, topics=topics, client_id=client_id)
    from .python_client import PythonSubscription  # noqa: PLC0415

    return PythonSubscription(settings, group=group, topics=topics, client_id=client_id)


def _confluent():  # type: ignore[no-untyped-def] # a module
    try:
        from . import confluent_client  # noqa: PLC0415 # an optional dependency
    except ImportError:
        raise ConfigurationError(
            "KAFKA_CLIENT is confluent-kafka, and the package is missing: pip install 'slipway-chassis[confluent]'"
        ) from None
    return confluent_client
