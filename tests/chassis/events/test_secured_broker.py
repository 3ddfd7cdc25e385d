"""A broker that speaks TLS alone and asks who is there: what the chassis' settings promise, on a real one."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from slipway_chassis.config import KafkaSettings, MachineSettings, load
from slipway_chassis.embedded import kafka as embedded
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events import kafka
from slipway_chassis.events.ports import Record
from slipway_gateway import development_ca

pytestmark = pytest.mark.integration
USER, PASSWORD = "shop", "correct horse"  # of a test


@pytest.fixture(scope="module", name="secured")
def _secured(run_folder):
    folder = run_folder / "kafka-secured"
    files = development_ca.ensure(folder / "tls")
    store = folder / "tls" / "broker.pem"
    store.write_text(files.key.read_text() + files.certificate.read_text())
    port, controller_port = free_port(), free_port()
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="{USER}" password="{PASSWORD}"'
    broker = embedded.start(
        folder,
        port=port,
        controller_port=controller_port,
        machine=load(MachineSettings),
        properties={
            "listeners": f"SAFE://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"SAFE://127.0.0.1:{port}",
            "listener.security.protocol.map": "SAFE:SASL_SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "SAFE",
            "sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.safe.plain.sasl.jaas.config": f'{login} user_{USER}="{PASSWORD}";',
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": store,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": files.ca,
        },
    )
    yield broker.bootstrap_servers, str(files.ca)
    broker.child.stop()


def settings_of(secured, client="kafka-python", **changed):
    servers, authority = secured
    words = {
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "KAFKA_CLIENT": client,
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SASL_PASSWORD": PASSWORD,
        "KAFKA_SSL_CAFILE": authority,
    }
    return load(KafkaSettings, words | changed)


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
def test_a_record_travels_over_tls_under_the_users_name(secured, client, eventually):
    settings = settings_of(secured, client)
    topic = f"secured.{uuid.uuid4().hex[:8]}.v1"
    kafka.ensure_topics(settings, [topic])

    with closing(kafka.publisher(settings, client_id="p")) as publisher:
        assert publisher.publish([Record(topic, b"k", b"v", ())]) == [None]
    with closing(kafka.subscription(settings, group=topic, topics=[topic], client_id="c")) as subscription:
        records = eventually(lambda: subscription.poll(timeout=0.5, limit=10))
        assert [record.value for record in records] == [b"v"]
        with closing(kafka.Groups(settings)) as groups:
            assert eventually(lambda: [member.client_id for member in groups.describe(topic).members] == ["c"])
    assert [record.value for record in kafka.read_topic(settings, topic)] == [b"v"]


def test_who_is_not_known_or_can_not_prove_itself_gets_nothing(secured):
    wrong = [{"KAFKA_SASL_PASSWORD": "wrong"}, {"KAFKA_SSL_CAFILE": ""}, {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}]
    plain = dict.fromkeys(
        ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "KAFKA_SSL_CAFILE"), ""
    )

    def ask(changed):
        words = changed | plain if "KAFKA_SECURITY_PROTOCOL" in changed else changed
        with pytest.raises(BrokerUnavailable):
            kafka.ensure_topics(settings_of(secured, **words), ["secured.refused.v1"])

    with ThreadPoolExecutor() as pool:
        list(pool.map(ask, wrong))
    assert "secured.refused.v1" not in kafka.list_topics(settings_of(secured))
