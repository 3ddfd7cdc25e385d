"""Rights at the brokers (k8s/kafka/users.yaml), asked of a real one: each service can do its work, and nobody speaks in
the name of another. One broker with TLS, SCRAM and ACLs: some 30 s.
"""

import time
from contextlib import closing

import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

from inventory.bootstrap import SERVICE as INVENTORY
from orders.bootstrap import SERVICE as ORDERS
from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events import kafka
from slipway_chassis.events.dead_letters import dead_letter_topic, retry_topic
from slipway_chassis.events.ports import Record
from slipway_chassis.processes.workers import _consumed, _topics
from slipway_chassis.testing.plugin import eventually
from support.kafka_rights import ACLS, rights
from support.secured_kafka import PASSWORD, USER, add_users, admin_of, secured_broker, settings_of
from users.bootstrap import SERVICE as USERS

pytestmark = pytest.mark.integration
SERVICES = [USERS, ORDERS, INVENTORY]


def acls():
    for user, kind, called, operation in rights():
        yield ACL(
            f"User:{user}", "*", ACLOperation[operation], ACLPermissionType.ALLOW,
            ResourcePattern(ResourceType[kind], called, ACLResourcePatternType.LITERAL),
        )  # fmt: skip


@pytest.fixture(scope="module", name="secured")
def _secured(run_folder):
    authorizer = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{USER};User:ANONYMOUS",  # its controller's listener knows nobody
    }
    with secured_broker(run_folder / "kafka-rights", **authorizer) as secured:
        kafka.ensure_topics(settings_of(secured), sorted({name for each in SERVICES for name in topics(each)}))
        with admin_of(secured) as admin:
            add_users(admin, *ACLS)
            admin.create_acls(list(acls()))
        yield secured


def topics(service):
    return _topics(service, relays=True, consumes=True)


@pytest.fixture(name="as_user")
def _as_user(secured):
    proof = {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_PASSWORD": PASSWORD, "KAFKA_CREATE_TOPICS": "false"}
    return lambda name: settings_of(secured, **proof, KAFKA_SASL_USERNAME=f"{name}-kafka")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_can_do_its_work(service, as_user):
    settings = as_user(service.name)
    watch = kafka.TopicWatch(settings, topics(service))
    eventually(lambda: watch.look() or not watch._why_not, within=60)  # rules take a moment
    kafka.ensure_topics(settings, topics(service))
    assert kafka.longest_life(settings, _consumed(service)) is not None

    letters = [dead_letter_topic(source.topic, service.name) for source in service.consumes]
    retries = [retry_topic(source.topic, service.name) for source in service.consumes]
    written = [*(stream.topic for stream in service.publishes.values()), *letters, *retries]
    with closing(kafka.publisher(settings, client_id="relay")) as publisher:
        assert publisher.publish([Record(topic, b"k", b"v") for topic in written]) == [None] * len(written)
    joined = kafka.subscription(settings, group=service.name, topics=_consumed(service), client_id="consumer")
    with closing(joined) as subscription:
        read = eventually(lambda: subscription.poll(timeout=0.5, limit=1), within=60)
        subscription.commit({(read[0].topic, read[0].partition): read[0].offset + 1})
    for topic in letters:
        assert [letter.value for letter in kafka.read_topic(settings, topic)] == [b"v"]
        kafka.purge_topic(settings, {(topic, number): 0 for number in range(1)})


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_nobody_speaks_in_the_name_of_another(service, as_user):
    """Streams of others, and the letters and retries of others: a forged event is refused, and not tried again."""
    own = {stream.topic for stream in service.publishes.values()}
    own |= {name for name in topics(service) if name.endswith((f".{service.name}.dlq", f".{service.name}.retry"))}
    foreign = sorted({name for each in SERVICES for name in topics(each)} - own)
    assert foreign

    with closing(kafka.publisher(as_user(service.name), client_id="forger")) as publisher:
        for topic in foreign:
            [refused] = publisher.publish([Record(topic, b"k", b"forged")])
            assert refused is not None, topic
            assert "uthorization" in str(refused), (topic, refused)


def test_nobody_joins_the_group_of_another(as_user):
    """Whoever did would take its events away."""
    source = ORDERS.consumes[0].topic
    joined = kafka.subscription(as_user("inventory"), group="orders", topics=[source], client_id="thief")
    ended = time.monotonic() + 10
    with closing(joined) as subscription, pytest.raises(BrokerUnavailable, match="uthorization"):
        while time.monotonic() < ended:
            subscription.poll(timeout=0.5, limit=1)


def test_the_operator_asks_who_is_in_a_group_and_removes_who_has_ended(as_user):
    with closing(kafka.Groups(as_user("operator"))) as groups:
        for service in SERVICES:
            assert groups.describe(service.name).settled
        topics = _consumed(USERS)
        joined = kafka.subscription(as_user("users"), group="users", topics=topics, client_id="ended")
        with closing(joined) as subscription:
            subscription.poll(timeout=0.5, limit=0)
            members = eventually(lambda: groups.describe("users").members, within=30)
            groups.remove("users", members)
            eventually(lambda: not set(groups.describe("users").members) & set(members), within=30)
    with closing(kafka.publisher(as_user("operator"), client_id="o")) as publisher:
        [refused] = publisher.publish([Record(ORDERS.consumes[0].topic, b"k", b"v")])
        assert refused is not None
