"""How each client is told where the brokers are and how they are spoken to."""

from dataclasses import astuple
from typing import Any

from ...config import KafkaSettings
from .bearer_tokens import provider_of


def kafka_python(settings: KafkaSettings) -> dict[str, Any]:
    """Arguments of all of kafka-python's clients, the admin client's included."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        options |= {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": provider_of(settings)}
    elif "SASL" in settings.kafka_security_protocol:
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    files = {
        "ssl_cafile": settings.kafka_ssl_cafile,
        "ssl_certfile": settings.kafka_ssl_certfile,
        "ssl_keyfile": settings.kafka_ssl_keyfile,
    }
    return options | {name: file for name, file in files.items() if file}


def librdkafka(settings: KafkaSettings) -> dict[str, Any]:
    """The same in the words of confluent-kafka."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol,
    }
    words = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password.get_secret_value(),
        "ssl.ca.location": settings.kafka_ssl_cafile,
        "ssl.certificate.location": settings.kafka_ssl_certfile,
        "ssl.key.location": settings.kafka_ssl_keyfile,
    }
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        provider = provider_of(settings)
        options["oauth_cb"] = lambda _: astuple(provider.current())
    return options | {name: value for name, value in words.items() if value}
