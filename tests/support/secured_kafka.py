"""A broker that speaks TLS alone and asks who is there."""

from contextlib import contextmanager

from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from slipway_chassis.config import KafkaSettings, MachineSettings, load
from slipway_chassis.embedded import kafka as embedded
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.events.kafka import connecting
from slipway_gateway import development_ca

USER, PASSWORD = "shop", "correct horse"  # of a test
SECURITY = "org.apache.kafka.common.security"
# Kafka's own for development: it believes each token that says so and has not ended.
BELIEVING = f"{SECURITY}.oauthbearer.OAuthBearerLoginModule required;"


@contextmanager
def secured_broker(folder, **properties):
    """Its address, and the file of its authority."""
    files = development_ca.ensure(folder / "tls")
    store = folder / "tls" / "broker.pem"
    store.write_text(files.key.read_text() + files.certificate.read_text())
    port, controller_port = free_port(), free_port()
    login = f'{SECURITY}.plain.PlainLoginModule required username="{USER}" password="{PASSWORD}"'
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
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.safe.scram-sha-512.sasl.jaas.config": f"{SECURITY}.scram.ScramLoginModule required;",
            "listener.name.safe.oauthbearer.sasl.jaas.config": BELIEVING,
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.safe.plain.sasl.jaas.config": f'{login} user_{USER}="{PASSWORD}";',
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": store,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": files.ca,
        }
        | properties,
    )
    try:
        yield broker.bootstrap_servers, str(files.ca)
    finally:
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


@contextmanager
def admin_of(secured):
    admin = KafkaAdminClient(**connecting.kafka_python(settings_of(secured)))
    try:
        yield admin
    finally:
        admin.close()


def add_users(admin, *names):
    """By SCRAM-SHA-512, all with the one password."""
    admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, password=PASSWORD) for name in names]
    )
