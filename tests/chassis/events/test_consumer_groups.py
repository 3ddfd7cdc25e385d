"""Who is in a consumer group: what a release asks a real broker before it hands consumers over."""

import socket
import threading
from contextlib import closing

import pytest
from confluent_kafka import Consumer
from kafka import KafkaAdminClient

from slipway_chassis.config import KafkaSettings
from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events import kafka
from slipway_chassis.events.kafka.groups import _describe as describe_by

pytestmark = [pytest.mark.integration, pytest.mark.core]


def test_members_are_seen_by_their_client_ids_until_they_leave(kafka_settings, topic, eventually):
    kafka.ensure_topics(kafka_settings, [topic])
    group = f"group-of-{topic}"
    groups = kafka.Groups(kafka_settings)
    eventually(lambda: clients(groups, group) == [])
    client = kafka.consumer_id(group, "2", "laptop")
    member = kafka.subscription(kafka_settings, group=group, topics=[topic], client_id=client)

    def joined():
        member.poll(timeout=0.1, limit=1)
        return clients(groups, group) == [client]

    eventually(joined)
    member.close()
    eventually(lambda: clients(groups, group) == [])
    groups.close()


def clients(groups, group):
    """None: unknown for now, as while a new broker makes its topic of offsets."""
    try:
        return [member.client_id for member in groups.describe(group).members]
    except BrokerUnavailable:
        return None


def test_a_group_that_is_made_between_two_questions_is_asked_for_again():
    """ "It has another protocol" would leave its brokers alone for seconds, in the middle of a handover."""
    gone = {"group_state": "Dead", "error": "", "members": ()}
    joined = gone | {"group_state": "Stable", "members": [{"client_id": "c", "client_host": "/h", "member_id": "c-1"}]}
    answers = [gone, joined]

    class Admin:
        def describe_groups(self, _):
            return {"orders": answers.pop(0)}

        def list_groups(self):
            return [{"group_id": "orders"}]

    assert [member.client_id for member in describe_by(Admin(), "orders").members] == ["c"]
    answers += [gone, gone]
    with pytest.raises(BrokerUnavailable, match="another protocol"):
        describe_by(Admin(), "orders")


def test_a_broker_that_is_away_is_no_empty_group():
    groups = kafka.Groups(KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1"))

    with pytest.raises(BrokerUnavailable):
        groups.describe("orders")


def test_where_no_broker_answers_no_thread_of_the_client_is_left():
    before = set(threading.enumerate())
    with socket.socket() as server, closing(groups_of(server)) as groups, pytest.raises(BrokerUnavailable):
        groups.describe("orders")

    assert not [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]


def groups_of(server):
    server.bind(("127.0.0.1", 0))
    server.listen()  # it accepts, and says nothing
    address = f"127.0.0.1:{server.getsockname()[1]}"
    return kafka.Groups(KafkaSettings(kafka_bootstrap_servers=address), timeout_ms=500)


def test_a_group_of_the_newer_protocol_is_unknown_and_not_empty(kafka_settings, topic, eventually):
    kafka.ensure_topics(kafka_settings, [topic])
    group = f"newer-{topic}"
    servers = kafka_settings.kafka_bootstrap_servers
    member = Consumer({"bootstrap.servers": servers, "group.id": group, "group.protocol": "consumer"})
    member.subscribe([topic])
    with closing(member), closing(kafka.Groups(kafka_settings)) as groups:
        eventually(lambda: member.poll(0.2) or member.assignment())

        with pytest.raises(BrokerUnavailable, match="another protocol"):
            groups.describe(group)


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


def test_offsets_are_told_with_the_topic_they_speak_of_and_set_back(kafka_settings, topic, eventually):
    kafka.ensure_topics(kafka_settings, [topic])
    group, groups = f"group-of-{topic}", kafka.Groups(kafka_settings)
    with closing(groups):
        eventually(lambda: committed(groups, group) == {})
        [known] = groups.topic_ids([topic, f"{topic}.missing"]).values()
        far = {(topic, 0): kafka.Committed(7, known), (topic, 1): kafka.Committed(0, known)}
        groups.commit(group, far)
        assert groups.committed(group) == far

        groups.commit(group, {(topic, 0): kafka.Committed(2, known)})
        assert groups.committed(group) == far | {(topic, 0): kafka.Committed(2, known)}


def committed(groups, group):
    """None: unknown for now, as while a new broker makes its topic of offsets."""
    try:
        return groups.committed(group)
    except BrokerUnavailable:
        return None


def test_offsets_of_a_group_with_members_are_not_set(kafka_settings, topic, eventually):
    kafka.ensure_topics(kafka_settings, [topic])
    group, groups = f"group-of-{topic}", kafka.Groups(kafka_settings)
    with (
        closing(groups),
        closing(kafka.subscription(kafka_settings, group=group, topics=[topic], client_id="c")) as member,
    ):

        def joined():
            member.poll(timeout=0.1, limit=1)
            return clients(groups, group) == ["c"]

        eventually(joined)
        with pytest.raises(BrokerUnavailable, match="can't be set"):
            groups.commit(group, {(topic, 0): kafka.Committed(1)})
