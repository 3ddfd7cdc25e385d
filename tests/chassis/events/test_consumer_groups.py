"""Who is in a consumer group: what a release asks a real broker before it hands consumers over."""

from contextlib import closing

import pytest
from kafka import KafkaAdminClient

from slipway_chassis.config import KafkaSettings
from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events import kafka

pytestmark = [pytest.mark.integration, pytest.mark.core]


def test_members_are_seen_by_their_client_ids_until_they_leave(kafka_settings, topic, eventually):
    kafka.ensure_topics(kafka_settings, [topic])
    group = f"group-of-{topic}"
    groups = kafka.Groups(kafka_settings)
    eventually(lambda: empty(groups, group))
    client = kafka.consumer_id(group, "2", "laptop")
    member = kafka.subscription(kafka_settings, group=group, topics=[topic], client_id=client)

    def joined():
        member.poll(timeout=0.1, limit=1)
        return groups.describe(group) == kafka.Group(clients=(client,), rests=True)

    eventually(joined)
    member.close()
    eventually(lambda: empty(groups, group))
    groups.close()


def empty(groups, group):
    try:
        return groups.describe(group) == kafka.Group(clients=(), rests=True)
    except BrokerUnavailable:  # a new broker makes its topic of offsets when it is asked first
        return False


def test_a_broker_that_is_away_is_no_empty_group():
    groups = kafka.Groups(KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1"))

    with pytest.raises(BrokerUnavailable):
        groups.describe("orders")


def test_a_consumer_that_looks_in_short_turns_comes_back_to_its_group(kafka_settings, topic, eventually):
    """New partitions are a reason to join again, and the look ends meanwhile: the next one must conclude it."""
    one = kafka_settings.model_copy(update={"kafka_topic_partitions": 1})
    kafka.ensure_topics(one, [topic])
    member = kafka.subscription(kafka_settings, group=f"group-of-{topic}", topics=[topic], client_id="short")

    def assigned(count):
        for _ in range(50):
            member.poll(timeout=0.001, limit=1)
        return len(member.assigned()) == count

    try:
        eventually(lambda: assigned(1))
        with closing(KafkaAdminClient(bootstrap_servers=kafka_settings.kafka_bootstrap_servers)) as admin:
            admin.create_partitions({topic: 3})
        member._consumer._client.cluster.request_update()
        eventually(lambda: assigned(3))
    finally:
        member.close()
