"""Settings of the operator: to whom it proves who it is."""

import pytest

from slipway_chassis.config import KafkaSettings, load
from slipway_chassis.errors import ConfigurationError
from slipway_operator.runtimes.kubernetes.process.settings import OperatorSettings

SAFE = {
    "POD_NAME": "operator-0",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka-0.kafka:9093,kafka-1.kafka.svc:9093",
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "operator",
    "KAFKA_SASL_PASSWORD": "correct horse",
}


@pytest.mark.parametrize(
    "brokers",
    ["kafka-0.kafka:9093", "kafka-1.kafka:9093,kafka-0.kafka.svc.cluster.local:9093", "KAFKA-0.kafka.svc.:9093"],
)
def test_its_brokers_get_the_proof_of_who_asks(brokers):
    made = load(OperatorSettings, SAFE).kafka(brokers)

    assert made == load(KafkaSettings, {**SAFE, "KAFKA_BOOTSTRAP_SERVERS": brokers})
    assert made.kafka_sasl_password.get_secret_value() == "correct horse"


@pytest.mark.parametrize(
    "brokers",
    [
        "kafka.shop:9093", "kafka-0.kafka:9092", "kafka-0.kafka:9093,mine.shop:9093", "kafka-0.kafka.evil.example:9093",
        "kafka-0:9093", "x-kafka-0.kafka:9093",
    ],
)  # fmt: skip
def test_brokers_that_a_tenant_names_get_none(brokers):
    assert load(OperatorSettings, SAFE).kafka(brokers) == KafkaSettings(kafka_bootstrap_servers=brokers)


def test_without_settings_brokers_are_asked_in_plain_text():
    assert load(OperatorSettings, {"POD_NAME": "operator-0"}).kafka("k:9092") == KafkaSettings(
        kafka_bootstrap_servers="k:9092"
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"KAFKA_BOOTSTRAP_SERVERS": ""},
            "KAFKA_BOOTSTRAP_SERVERS is not set, and KAFKA_SECURITY_PROTOCOL is SASL_SSL",
        ),
        ({"KAFKA_SASL_PASSWORD": ""}, "KAFKA_SASL_PASSWORD is not set"),
        ({"KAFKA_SASL_PASSWORT": "x"}, "KAFKA_SASL_PASSWORT is set, and nothing reads it"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "kafka"}, "KAFKA_BOOTSTRAP_SERVERS is wrong"),
    ],
)
def test_half_of_it_is_refused(changed, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        load(OperatorSettings, SAFE | changed)
