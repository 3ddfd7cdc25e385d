"""Two environments on one Kafka, with the same services, topics and groups: neither meets the other's events."""

import uuid
from contextlib import ExitStack, closing

import pytest

from slipway_chassis.config import KafkaSettings, load
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.events import kafka
from slipway_chassis.events.ports import Record


@pytest.fixture(name="environment")
def _environment(kafka_settings):
    return lambda prefix, client="kafka-python": kafka_settings.model_copy(
        update={"kafka_prefix": prefix, "kafka_client": client}
    )


@pytest.mark.integration
@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
def test_environments_share_brokers_and_no_event(client, environment, topic, eventually):
    run = uuid.uuid4().hex[:8]
    settings = {prefix: environment(prefix, client) for prefix in ("", f"{run}.", f"{run}-staging.")}
    with ExitStack() as stack:
        read = {}
        for prefix, each in settings.items():
            kafka.ensure_topics(each, [topic])
            with closing(kafka.publisher(each, client_id="p")) as publisher:
                assert publisher.publish([Record(topic, b"k", prefix.encode())] * 2) == [None, None]
            joined = kafka.subscription(each, group="orders", topics=[topic], client_id="c")
            read[prefix] = stack.enter_context(closing(joined))

        for prefix, subscription in read.items():
            first, *_ = eventually(lambda subscription=subscription: subscription.poll(timeout=0.2, limit=1))
            assert (first.topic, first.value) == (topic, prefix.encode())
            partition = topic, first.partition
            assert partition in subscription.assigned()
            subscription.commit({partition: first.offset + 1})
            subscription.seek({partition: first.offset})  # the same one again
            [again] = eventually(lambda subscription=subscription: subscription.poll(timeout=0.2, limit=1))
            assert again == first

        with closing(kafka.Groups(settings[""])) as groups:
            for prefix in settings:
                assert [each.client_id for each in groups.describe(f"{prefix}orders").members] == ["c"]


@pytest.mark.integration
def test_topics_are_called_as_in_contracts_whatever_the_prefix(environment, topic):
    run = uuid.uuid4().hex[:8]
    ours, theirs = environment(f"{run}."), environment(f"{run}-other.")
    for settings in (ours, theirs):
        kafka.ensure_topics(settings, [topic])
    with closing(kafka.publisher(ours, client_id="p")) as publisher:
        publisher.publish([Record(topic, b"k", b"v")])

    assert kafka.list_topics(ours) == [topic]
    assert f"{run}.{topic}" in kafka.list_topics(environment(""))
    [record] = kafka.read_topic(ours, topic)
    assert record.topic == topic
    assert list(kafka.read_topic(theirs, topic)) == []
    assert kafka.longest_life(ours, [topic]) == kafka.longest_life(theirs, [topic])
    kafka.purge_topic(ours, {(topic, record.partition): record.offset + 1})
    assert list(kafka.read_topic(ours, topic)) == []
    watch = kafka.TopicWatch(ours, [topic])
    watch.look()
    watch.usable()


@pytest.mark.parametrize("wrong", ["staging", "Staging.", ".", "a b.", "x" * 80 + "."])
def test_a_prefix_ends_where_a_name_begins(wrong):
    """``staging`` before ``orders`` would be ``stagingorders``, which is a name of its own."""
    with pytest.raises(ConfigurationError, match="KAFKA_PREFIX is wrong"):
        load(KafkaSettings, {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "KAFKA_PREFIX": wrong})
