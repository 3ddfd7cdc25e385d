"""The consumer group is asked of a real Kafka, with real consumers as processes."""

import asyncio
import signal
import socket
import sys
import threading
from contextlib import asynccontextmanager, closing
from functools import partial

import pytest
from confluent_kafka import Consumer

from slipway_chassis.embedded import kafka as embedded_kafka
from slipway_chassis.embedded.processes import Child, free_port
from slipway_chassis.events import kafka as chassis_kafka
from slipway_chassis.events.ports import Record
from slipway_chassis.testing.plugin import eventually
from slipway_operator.planning.observed import GroupView
from slipway_operator.runtimes.kubernetes.api.kinds import COMPONENT_LABEL, DEPLOYMENT
from slipway_operator.runtimes.kubernetes.observe.consumer_group import BrokerInspector, Membership
from support.cluster.control_plane import NEEDS, Cluster, Kubelet
from support.cluster.namespace import hash_of, pod, shop, spec

pytestmark = pytest.mark.integration
OLD, NEW = "aaaaaaaa", "bbbbbbbb"
NAMES = {"orders-aaaaaaaa-consumer": OLD, "orders-bbbbbbbb-consumer": NEW}
PROCESS = """
import signal, sys, threading
from slipway_chassis.config import KafkaSettings
from slipway_chassis.events import kafka
from slipway_chassis.events.kafka import python_client

servers, group, topic, client, session = sys.argv[1:]
python_client.SESSION_TIMEOUT_MS = int(session)
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
settings = KafkaSettings(kafka_bootstrap_servers=servers)
subscription = kafka.subscription(settings, group=group, topics=[topic], client_id=client)
while not stop.is_set():
    for record in subscription.poll(timeout=0.2, limit=10):
        print(record.value.decode(), flush=True)
        subscription.commit({(record.topic, record.partition): record.offset + 1})
subscription.close()
"""


SESSION_MS, LONG_SESSION_MS = 10_000, 300_000  # the chassis'; and one that no test would see the end of


def consumer(settings, folder, topic, pod_name, session_ms):
    """As the chassis runs one in a pod: group and topic are the test's, the client is named after the pod."""
    arguments = [settings.kafka_bootstrap_servers, topic, topic, f"orders-consumer-{pod_name}", str(session_ms)]
    return Child(pod_name, [sys.executable, "-c", PROCESS, *arguments], folder / f"{pod_name}.log")


@pytest.fixture(name="start")
def _start(kafka_settings, topic, tmp_path):
    chassis_kafka.ensure_topics(kafka_settings, [topic])
    started = []

    def start(pod_name, session_ms=SESSION_MS):
        started.append(consumer(kafka_settings, tmp_path, topic, pod_name, session_ms))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture(name="ask")
def _ask(kafka_settings, topic):
    with closing(BrokerInspector()) as inspector:

        def ask(group=topic, addresses=None, pods=None):
            membership = Membership(kafka_settings.kafka_bootstrap_servers, group, NAMES, addresses or {}, pods)
            return asyncio.run(inspector.inspect(membership))

        yield ask


def send(settings, topic, values):
    with closing(chassis_kafka.publisher(settings, client_id="test")) as publisher:
        assert not any(publisher.publish([Record(topic=topic, key=b"k", value=v.encode(), headers=()) for v in values]))


def test_a_group_that_nobody_has_joined_is_empty(ask, topic):
    # A broker that has just begun has to make itself ready for groups; until then it knows nothing.
    eventually(lambda: ask(f"{topic}.none") == GroupView(known=True, members={}, settled=True))


def test_members_belong_to_versions_by_the_names_of_their_pods_and_by_address_else(start, ask):
    start("orders-aaaaaaaa-consumer-6d4f-x1")
    start("orders-aaaaaaaa-consumer-6d4f-x2")
    start("orders-bbbbbbbb-consumer-77aa-y1")
    start("somebody-on-a-laptop")

    eventually(lambda: ask() == GroupView(members={OLD: 2, NEW: 1, "": 1}, settled=True))
    assert ask(addresses={"127.0.0.1": NEW}).members == {OLD: 2, NEW: 2}


def test_one_that_stops_is_gone_at_once_and_one_that_is_killed_when_its_session_ends(start, ask, kafka_settings, topic):
    first, second = start("orders-aaaaaaaa-consumer-a"), start("orders-aaaaaaaa-consumer-b")
    eventually(lambda: ask() == GroupView(members={OLD: 2}))
    send(kafka_settings, topic, ["1", "2", "3"])
    eventually(lambda: sum(len(each.log.read_text().split()) for each in (first, second)) == 3)

    first.stop()
    assert ask().members == {OLD: 1}
    second.stop_signal = signal.SIGKILL
    second.stop()
    assert ask().members == {OLD: 1}  # its pod may be gone, and nobody knows yet that it is

    eventually(lambda: ask() == GroupView(members={}, settled=True))
    third = start("orders-bbbbbbbb-consumer-a")
    send(kafka_settings, topic, ["4"])
    eventually(lambda: third.log.read_text().split())
    assert third.log.read_text().split() == ["4"]  # it goes on where the others ended


def test_a_member_whose_pod_has_ended_leaves_long_before_its_session_does(start, ask, kafka_settings, topic):
    """And nobody else does: neither who lives, nor who was never seen as a pod."""
    lives, killed = "orders-aaaaaaaa-consumer-6d4f-liv", "orders-aaaaaaaa-consumer-6d4f-dead"
    other = start("orders-bbbbbbbb-consumer-77aa-y1", LONG_SESSION_MS)
    started = {pod: start(pod, LONG_SESSION_MS) for pod in (lives, killed)}
    eventually(lambda: ask(pods=frozenset({lives, killed})) == GroupView(members={OLD: 2, NEW: 1}))
    started[killed].stop_signal = signal.SIGKILL
    started[killed].stop()
    assert ask().members == {OLD: 2, NEW: 1}  # nobody said which pods there are
    assert ask(pods=frozenset({lives})).members == {OLD: 2, NEW: 1}  # as it was when it was asked

    eventually(lambda: ask(pods=frozenset({lives})) == GroupView(members={OLD: 1, NEW: 1}))
    # Its share of the events is another one's by now.
    send(kafka_settings, topic, ["1", "2", "3"])
    alive = (started[lives], other)
    eventually(lambda: sum(len(each.log.read_text().split()) for each in alive) == 3)


def test_brokers_that_are_away_say_nothing_and_are_asked_again_when_they_are_back(tmp_path, machine):
    now = [0.0]
    broker = embedded_kafka.start(
        tmp_path / "kafka", port=free_port(), controller_port=free_port(), machine=machine
    )  # fmt: skip
    with closing(BrokerInspector(clock=lambda: now[0])) as inspector:

        def known():
            now[0] += 60
            return asyncio.run(inspector.inspect(Membership(broker.bootstrap_servers, "g"))).known

        try:
            eventually(known)
            broker.child.stop()
            assert not known()
            broker.child.start()
            eventually(known)
        finally:
            broker.child.stop()


@pytest.mark.parametrize("listens", [True, False])
def test_what_is_no_broker_is_not_known_is_left_alone_for_a_while_and_leaves_no_thread(listens):
    before, accepted = set(threading.enumerate()), []
    with socket.socket() as server, closing(BrokerInspector()) as inspector:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen(50)
            server.settimeout(0)
        membership = Membership(f"127.0.0.1:{server.getsockname()[1]}", "g")

        assert [asyncio.run(inspector.inspect(membership)) for _ in range(5)] == [GroupView(known=False)] * 5

        while listens:
            try:
                accepted.append(server.accept()[0])
            except BlockingIOError:
                break
        for each in accepted:
            each.close()
    clients = [thread for thread in threading.enumerate() if thread.name.startswith("kafka-io")]
    eventually(lambda: not [thread for thread in clients if thread not in before and thread.is_alive()])


def test_a_group_of_the_newer_protocol_is_not_taken_for_an_empty_one(ask, kafka_settings, topic):
    chassis_kafka.ensure_topics(kafka_settings, [topic])
    newer = Consumer(
        {"bootstrap.servers": kafka_settings.kafka_bootstrap_servers, "group.id": topic, "group.protocol": "consumer"}
    )
    newer.subscribe([topic])
    try:
        eventually(lambda: newer.poll(0.2) or newer.assignment())
        assert ask() == GroupView(known=False)
    finally:
        newer.close()


class Nodes(Kubelet):
    """Runs a real consumer for each of their pods; when a pod is deleted it is stopped first, as kubelets do."""

    def __init__(self, client, namespace, start):
        super().__init__(client, namespace)
        self._start = start
        self.running = {}
        self.lost = False  # a node is lost: the process dies and nobody tells the group

    async def _one(self, pod):
        name, metadata = pod["metadata"]["name"], pod["metadata"]
        if metadata["labels"].get(COMPONENT_LABEL) == "consumer":
            child = self.running.get(name)
            if metadata.get("deletionTimestamp") and child and child.alive:
                child.stop_signal = signal.SIGKILL if self.lost else signal.SIGTERM
                await asyncio.to_thread(child.stop)
            elif child is None and not metadata.get("deletionTimestamp"):
                self.running[name] = self._start(name)
        await super()._one(pod)


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    if NEEDS:
        pytest.skip(f"not built: ci/tools/install.sh {' '.join(NEEDS)}")
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@asynccontextmanager
async def consuming_shop(cluster, namespace, start):
    nodes = []

    def kubelet(client, name):
        nodes.append(Nodes(client, name, start))
        return nodes[0]

    async with shop(cluster, namespace, kubelet) as world:
        world.inspector = BrokerInspector()
        try:
            yield world, nodes[0]
        finally:
            world.inspector.close()


def with_consumer(version, settings, topic, **changes):
    template = {"template": pod(f"shop/orders:{version}")}
    events = {"group": topic, "bootstrapServers": settings.kafka_bootstrap_servers}
    return spec(version, components={"http": template, "consumer": template}, events=events, **changes)


@pytest.mark.parametrize("lost", [False, True])
def test_a_release_waits_until_the_real_group_is_empty(cluster, start, ask, kafka_settings, topic, lost):
    first, second = (with_consumer(version, kafka_settings, topic) for version in ("1.0", "2.0"))
    old, new = hash_of(first), hash_of(second)
    seen = []

    def members():
        names = {f"orders-{version}-consumer": version for version in (old, new)}
        return Membership(kafka_settings.kafka_bootstrap_servers, topic, names)

    async def watch(world):
        while True:
            view = await world.inspector.inspect(members())
            wanted = await world.client.get(DEPLOYMENT, world.namespace, f"orders-{new}-consumer")
            seen.append((set(view.members), view.known, wanted["spec"]["replicas"] if wanted else 0))
            await asyncio.sleep(0.05)

    async def story():
        begin = partial(start, session_ms=LONG_SESSION_MS)
        async with consuming_shop(cluster, f"group-{lost}".lower(), begin) as (world, nodes), world.operator():
            await world.released(first)
            nodes.lost = lost
            watching = asyncio.create_task(watch(world))
            await world.released(second)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            return await world.status(), await world.events()

    status, events = asyncio.run(story())

    assert not [each for each in seen if {old, new} <= each[0]], "two versions were in the group"
    assert not [each for each in seen if old in each[0] and each[2]], "the new consumers were wanted too early"
    assert ({old}, True, 0) in seen
    assert seen[-1] == ({new}, True, 1)
    assert events["ConsumersHandedOver"] == 1
    assert status["history"][-1]["handoverPauseMilliseconds"] > 0
