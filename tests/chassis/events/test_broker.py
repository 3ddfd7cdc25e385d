"""What relay and consumer may expect of a broker: the same promises, kept by the fake and by Kafka."""

import random
import uuid

import pytest
from kafka import KafkaAdminClient

from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.inbox import RETENTION_BY_DEFAULT
from slipway_chassis.events.ports import Record
from slipway_chassis.testing.broker import MemoryBroker
from slipway_chassis.testing.plugin import eventually

HEADERS = (("n", b"\x00\xff"), ("empty", b""))
CLIENTS = ["kafka-python", "confluent-kafka"]


class RealBroker:
    def __init__(self, settings, topic):
        self._settings = settings
        kafka_adapter.ensure_topics(settings, [topic])

    def publisher(self):
        return kafka_adapter.publisher(self._settings, client_id="contract")

    def subscription(self, *, group, topics):
        return kafka_adapter.subscription(self._settings, group=group, topics=topics, client_id="contract")


@pytest.fixture(
    name="broker", params=["memory", *(pytest.param(client, marks=pytest.mark.integration) for client in CLIENTS)]
)
def _broker(request, topic):
    if request.param == "memory":
        return MemoryBroker()
    settings = request.getfixturevalue("kafka_settings").model_copy(update={"kafka_client": request.param})
    return RealBroker(settings, topic)


@pytest.fixture(name="publisher")
def _publisher(broker):
    publisher = broker.publisher()
    yield publisher
    publisher.close()


@pytest.fixture(name="subscribe")
def _subscribe(broker, topic):
    opened = []

    def subscribe(group):
        opened.append(broker.subscription(group=group, topics=[topic]))
        return opened[-1]

    yield subscribe
    for subscription in opened:
        subscription.close()


def _records(topic, count, keys=4):
    return [
        Record(topic=topic, key=f"k{n % keys}".encode(), value=str(n).encode(), headers=HEADERS) for n in range(count)
    ]


def _poll(subscription, count):
    received = []

    def enough():
        received.extend(subscription.poll(timeout=0.2, limit=50))
        return len(received) >= count

    eventually(enough)
    return received


def _group():
    return f"g{uuid.uuid4().hex[:8]}"


def test_what_is_published_is_polled_in_order_per_key(publisher, subscribe, topic):
    sent = _records(topic, 40)

    assert publisher.publish(sent) == [None] * 40

    received = _poll(subscribe(_group()), 40)
    for key in {r.key for r in sent}:
        assert [r.value for r in received if r.key == key] == [r.value for r in sent if r.key == key]
    assert received[0].headers == HEADERS
    assert received[0].header("absent") == ""


def test_what_was_not_committed_comes_again(publisher, subscribe, topic):
    group = _group()
    publisher.publish(_records(topic, 6, keys=1))
    first = subscribe(group)
    received = _poll(first, 6)

    first.commit({(topic, received[3].partition): received[3].offset + 1})
    first.close()

    assert [r.value for r in _poll(subscribe(group), 2)] == [b"4", b"5"]


def test_seeking_back_brings_the_records_back(publisher, subscribe, topic):
    publisher.publish(_records(topic, 6, keys=2))
    subscription = subscribe(_group())
    received = _poll(subscription, 6)

    first = {(topic, r.partition): r.offset for r in reversed(received[3:])}
    subscription.seek(first)

    again = [r.value for r in received if r.offset >= first.get((topic, r.partition), 10**9)]
    assert sorted(r.value for r in _poll(subscription, len(again))) == sorted(again)


def test_the_assigned_partitions_are_known(publisher, subscribe, topic):
    publisher.publish(_records(topic, 6))
    subscription = subscribe(_group())
    _poll(subscription, 6)

    assert subscription.assigned() == {(topic, number) for number in range(3)}


def test_lag_counts_what_is_waiting(publisher, subscribe, topic):
    publisher.publish(_records(topic, 5, keys=1))
    subscription = subscribe(_group())

    assert _poll(subscription, 5)
    assert subscription.lag() == 0


def test_a_record_too_large_fails_alone_and_for_good(publisher, topic):
    small, large = _records(topic, 2)
    large = Record(topic=topic, key=b"k", value=b"x" * 2_000_000)

    ok, refused = publisher.publish([small, large])

    assert ok is None
    assert refused is not None
    assert refused.retriable is False


def test_a_header_without_a_value_is_no_obstacle(publisher, subscribe, topic):
    assert publisher.publish([_records(topic, 1)[0]._replace(headers=(("none", None),))]) == [None]

    [received] = _poll(subscribe(_group()), 1)
    assert received.header("none") == ""


def test_a_poll_of_nothing_keeps_the_member_and_brings_what_comes_later(publisher, subscribe, topic):
    publisher.publish(_records(topic, 6))
    subscription = subscribe(_group())
    eventually(lambda: subscription.poll(timeout=0.2, limit=0) or len(subscription.assigned()) == 3)

    assert subscription.poll(timeout=0.2, limit=0) == []

    assert len(_poll(subscription, 6)) == 6


def _random_keys():
    chance = random.Random(20_261)
    texts = ["", "ä", *(str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(100))]
    return [*(one.encode() for one in texts), *(chance.randbytes(chance.randint(1, 40)) for _ in range(100))]


@pytest.mark.integration
def test_every_client_places_each_key_alike(kafka_settings, topic):
    kafka_adapter.ensure_topics(kafka_settings.model_copy(update={"kafka_topic_partitions": 7}), [topic])
    keys = _random_keys()
    for client in CLIENTS:
        settings = kafka_settings.model_copy(update={"kafka_client": client})
        publisher = kafka_adapter.publisher(settings, client_id="contract")
        assert not any(publisher.publish([Record(topic=topic, key=key, value=client.encode()) for key in keys]))
        publisher.close()

    placed = {client: {} for client in CLIENTS}
    for record in kafka_adapter.read_topic(kafka_settings, topic):
        placed[record.value.decode()][record.key] = record.partition

    assert placed["kafka-python"].keys() == set(keys)
    assert placed["kafka-python"] == placed["confluent-kafka"]
    assert len(set(placed["kafka-python"].values())) == 7


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_a_topic_that_was_made_anew_is_read_from_its_beginning(kafka_settings, topic, client):
    """More records are in it than were committed of the former one: an offset alone would pass them over."""
    settings = kafka_settings.model_copy(update={"kafka_client": client, "kafka_topic_partitions": 1})
    group, watch = _group(), kafka_adapter.TopicWatch(settings, [topic])
    watch.look()
    is_outdated = watch.changed()
    publisher = kafka_adapter.publisher(settings, client_id="contract")
    publisher.publish(_records(topic, 5))
    before = kafka_adapter.subscription(settings, group=group, topics=[topic], client_id="contract")
    _poll(before, 5)
    before.commit({(topic, 0): 5})
    before.close()

    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    admin.delete_topics([topic])
    admin.close()
    eventually(lambda: watch.look() or is_outdated())
    watch.usable()
    sent = _records(topic, 8)
    eventually(lambda: not any(publisher.publish([sent[0]])))
    assert not any(publisher.publish(sent[1:]))
    publisher.close()

    after = kafka_adapter.subscription(settings, group=group, topics=[topic], client_id="contract")
    received = _poll(after, 8)
    after.close()
    assert [one.offset for one in received] == list(range(len(received)))


@pytest.mark.integration
def test_a_missing_topic_that_others_own_is_named_by_readiness(kafka_settings, topic):
    watch = kafka_adapter.TopicWatch(kafka_settings.model_copy(update={"kafka_create_topics": False}), [topic])
    watch.look()
    with pytest.raises(BrokerUnavailable, match=f"topics are missing: {topic}"):
        watch.usable()

    kafka_adapter.ensure_topics(kafka_settings, [topic])
    watch.look()
    watch.usable()


@pytest.mark.integration
def test_a_record_lives_as_long_as_retention_and_its_segment_together(kafka_settings, topic):
    kafka_adapter.ensure_topics(kafka_settings, [topic, f"{topic}.g.dlq"])

    assert kafka_adapter.longest_life(kafka_settings, [topic]) == RETENTION_BY_DEFAULT
    assert kafka_adapter.longest_life(kafka_settings, [topic, f"{topic}.g.dlq"]) is None
