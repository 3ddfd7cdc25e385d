"""The console's looks at a real database and a real broker, and what they say when these are away."""

import json
from datetime import UTC, datetime

import psycopg
import pytest

from slipway_chassis.config import RUNNING_HERE
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events import kafka
from slipway_chassis.events.dead_letters import Failure, dead_letter, dead_letter_topic, retry_topic
from slipway_chassis.events.kafka import Committed
from slipway_chassis.events.ports import Record
from slipway_chassis.events.tables import create_v1, create_v2
from slipway_operator.console.model import ParkedKey
from slipway_operator.errors import LocalRuntimeError
from slipway_operator.runtimes.local.console.acting import Acting
from slipway_operator.runtimes.local.console.addresses import Addresses
from slipway_operator.runtimes.local.console.finding import LAST_LETTERS, Finding
from slipway_operator.runtimes.local.console.outboxes import Outboxes
from slipway_operator.runtimes.local.console.streams import BrokerLook
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.system import Service, System

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
HOSTILE = "<img src=x onerror=alert(1)>"
EVENT = (
    "INSERT INTO outbox (event_id, topic, aggregate_type, aggregate_id, aggregate_version, shard, type, source,"
    " payload, created_at) VALUES (gen_random_uuid(), 'orders.order.v1', 'order', %s, 1, 0, 't', 's', '{}',"
    " clock_timestamp() - interval '90 seconds')"
)
PARKED = "INSERT INTO parked_keys VALUES ('users', 'orders.order.v1', %s, %s, 1, false)"


@pytest.fixture(name="layout")
def _layout(tmp_path):
    layout = Layout(tmp_path / ".slipway", gateway=0, base=18000)
    layout.logs.mkdir(parents=True)
    return layout


def told(layout, **settings):
    (layout.data / RUNNING_HERE.name).write_text(json.dumps({"": {}, **settings}))
    return Addresses(layout)


def test_what_waits_in_an_outbox_and_who_is_parked(layout, database, database_url):
    with database.engine.begin() as connection:
        create_v1(connection)
        create_v2(connection)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number in range(3):
            connection.execute(EVENT, [str(number)])
        connection.execute(PARKED, [HOSTILE.encode(), 4])
        connection.execute(PARKED, [b"\xff\x00", 1])  # all its letters are settled: it is parked no more
    away = f"postgresql://x:secret-password@127.0.0.1:{free_port()}/x"
    outboxes = Outboxes(told(layout, orders={"DATABASE_URL": database_url}, users={"DATABASE_URL": away}))

    orders, users = outboxes.look()
    assert (orders.pending, orders.trouble) == (3, "")
    assert orders.oldest >= 90
    assert orders.parked == (ParkedKey("orders.order.v1", HOSTILE, 3),)
    assert "does not answer" in users.trouble
    assert "secret-password" not in users.trouble

    backend = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'slipway-console'"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(backend)
    assert outboxes.look()[0].trouble  # the connection is gone, and said to be
    assert outboxes.look()[0].pending == 3  # the next look opens another
    outboxes.rest()


def test_a_database_without_an_outbox_is_left_out(layout, database_url):
    outboxes = Outboxes(told(layout, orders={"DATABASE_URL": database_url}))
    assert outboxes.look() == []
    outboxes.rest()


def test_how_far_groups_are_behind_and_dead_letters_are_seen_and_sent_again(layout, kafka_settings, topic, eventually):
    service = Service(name=f"s{topic[5:17]}")
    servers = {"KAFKA_BOOTSTRAP_SERVERS": kafka_settings.kafka_bootstrap_servers}
    addresses = told(layout, **{"": servers, service.name: servers})
    letters = dead_letter_topic(topic, service.group)
    kafka.ensure_topics(kafka_settings, [topic, letters])
    publisher = kafka.publisher(kafka_settings, client_id="test")
    records = [Record(topic, str(number).encode(), b"{}") for number in range(30)]
    failure = Failure(
        record=Record(topic, b"k", HOSTILE.encode(), (), 0, 7), reason="failed", error=HOSTILE, attempts=5
    )
    dead = [dead_letter(failure, service.group, sequence=0, now=datetime.now(UTC)) for _ in range(LAST_LETTERS + 2)]
    assert not any(publisher.publish(records + dead))
    groups = kafka.Groups(kafka_settings)
    first = {where: Committed(begin) for where, (begin, _) in groups.ranges().items() if where[0] == topic}
    eventually(lambda: _committed(groups, service.group, first))
    groups.close()

    look = BrokerLook(addresses, [service, Service(name="quiet", processes=("http",))])
    found = look.look()
    [group] = found.groups
    assert (group.behind, group.members, group.trouble) == (30, (), "")
    assert dict(found.topics)[topic] == 30
    assert [one.count for one in found.letters if one.topic == topic] == [LAST_LETTERS + 2]

    words = {"topic": topic, "group": service.group}
    shown = Finding(layout, addresses).letters(words)["letters"]
    assert len(shown) == LAST_LETTERS
    assert (shown[0]["value"], shown[0]["reason"]) == (HOSTILE, "failed")
    with pytest.raises(LocalRuntimeError, match="no dead letters of nobody"):
        Finding(layout, addresses).letters({**words, "group": "nobody"})

    replay = Acting(layout, System.model_construct(services=[service]), addresses).actions()["replay"]
    assert f"{LAST_LETTERS + 2} letters were sent" in replay(words)
    again = kafka.Groups(kafka_settings)
    sent = [
        end - begin for (name, _), (begin, end) in again.ranges().items() if name == retry_topic(topic, service.group)
    ]
    assert sum(sent) == LAST_LETTERS + 2
    again.close()
    look.rest()
    publisher.close()


def _committed(groups, group, offsets):
    """Whether it was possible: a new broker makes its topic of offsets first."""
    try:
        groups.commit(group, offsets)
    except BrokerUnavailable:
        return False
    return True


def test_a_broker_that_is_away_is_an_error_with_a_sentence(layout):
    servers = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    look = BrokerLook(told(layout, **{"": servers, "orders": servers}), [Service(name="orders")])
    with pytest.raises(BrokerUnavailable, match="Kafka: connecting"):
        look.look()
    look.rest()


def test_without_a_broker_nothing_is_asked(layout):
    assert BrokerLook(told(layout, orders={}), [Service(name="orders")]).look().topics == ()
