"""What relay and consumer may expect of a broker: the same promises, kept by the fake and by Kafka."""

import uuid

import pytest

from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.ports import Record
from slipway_chassis.testing.broker import MemoryBroker
from slipway_chassis.testing.plugin import eventually

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
        Record(topic=topic, key=f"k{n % keys}".encode(), value=str(n).encode(), headers=(("n", b"\x00\xff"),))
        for n in range(count)
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
    assert received[0].headers == (("n", b"\x00\xff"),)
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
