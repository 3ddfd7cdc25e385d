"""Settings from environment variables: validated once, at start, before anything connects.

A setting is a field; its variable is the field's name in capitals. This is the only module of the
chassis that reads ``os.environ``.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from .errors import ConfigurationError
from .postgresql_url import for_sqlalchemy

Port = Annotated[int, Field(ge=1, le=65535)]
SERVERS = r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$"


class ProcessSettings(BaseModel):
    """What every process of a service needs to know."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    service_version: str = Field(default="dev", max_length=63, description="version reported in logs")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="minimum severity of log lines"
    )
    bind_host: Annotated[str, AfterValidator(lambda host: host.strip("[]"))] = Field(
        default="127.0.0.1",
        description="address to listen on; in a pod 0.0.0.0, or :: where the cluster has IPv6, alone or beside IPv4",
    )
    drain_file: Path | None = Field(
        default=None, description="while this file exists the process drains; created by a pod's preStop hook"
    )
    closing_file: Path = Field(
        default=Path("/run/slipway/draining"),
        description="while this file contains true, connections are closed after each response; set by the operator",
    )
    levels_file: Path = Field(
        default=Path("/etc/slipway/levels"),
        description="while this file says so, LOG_LEVEL and TRACE_SAMPLE_RATIO of the process are others",
    )
    admin_port: Port = Field(
        default=9100, description="TCP port of health and metrics, not exposed outside of the cluster"
    )


class DatabaseSettings(BaseModel):
    """Where the service's own database is."""

    database_url: Annotated[SecretStr, AfterValidator(for_sqlalchemy)] = Field(
        description="for example postgresql://user:password@host:5432/database"
    )


class KafkaAccess(BaseModel):
    """How brokers are spoken to, and what proves who speaks."""

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how the brokers are spoken to; SASL_SSL or SSL outside of a trusted network"
    )
    kafka_sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        default="", description="how the user is proved, with SASL_SSL and SASL_PLAINTEXT"
    )
    kafka_sasl_username: str = Field(default="", max_length=500, description="the user that brokers know")
    kafka_sasl_password: SecretStr = Field(default=SecretStr(""), description="the user's password")
    kafka_sasl_oauthbearer_token_endpoint_url: str = Field(
        default="", pattern=r"^(https?://[^\s@]+)?$", description="where OAUTHBEARER fetches its tokens"
    )
    kafka_sasl_oauthbearer_client_id: str = Field(default="", max_length=500, description="who asks for a token there")
    kafka_sasl_oauthbearer_client_secret: SecretStr = Field(default=SecretStr(""), description="the proof of it")
    kafka_sasl_oauthbearer_scope: str = Field(default="", max_length=500, description="scope of the token, if any")
    kafka_ssl_cafile: str = Field(
        default="", description="file in PEM with the authority of the brokers' certificates; default: the system's"
    )
    kafka_ssl_certfile: str = Field(default="", description="file in PEM with a certificate that proves who connects")
    kafka_ssl_keyfile: str = Field(default="", description="file in PEM with the key of KAFKA_SSL_CERTFILE")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        """Words that are set for safety are used, and none of those is missing that belong to them."""
        protocol, mechanism = self.kafka_security_protocol, self.kafka_sasl_mechanism
        login = {
            "KAFKA_SASL_USERNAME": self.kafka_sasl_username,
            "KAFKA_SASL_PASSWORD": self.kafka_sasl_password.get_secret_value(),
        }
        bearer = {
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": self.kafka_sasl_oauthbearer_token_endpoint_url,
            "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": self.kafka_sasl_oauthbearer_client_id,
            "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": self.kafka_sasl_oauthbearer_client_secret.get_secret_value(),
        }
        proof = {"KAFKA_SASL_MECHANISM": mechanism} | (bearer if mechanism == "OAUTHBEARER" else login)
        files = {
            "KAFKA_SSL_CAFILE": self.kafka_ssl_cafile,
            "KAFKA_SSL_CERTFILE": self.kafka_ssl_certfile,
            "KAFKA_SSL_KEYFILE": self.kafka_ssl_keyfile,
        }
        scope = {"KAFKA_SASL_OAUTHBEARER_SCOPE": self.kafka_sasl_oauthbearer_scope}
        is_bearer = mechanism == "OAUTHBEARER"
        _used("KAFKA_SECURITY_PROTOCOL", protocol, proof, is_used="SASL" in protocol, needed="SASL_SSL")
        _used("KAFKA_SECURITY_PROTOCOL", protocol, files, is_used="SSL" in protocol, needed="SSL")
        _used("KAFKA_SASL_MECHANISM", mechanism, bearer | scope, is_used=is_bearer, needed="OAUTHBEARER")
        _used("KAFKA_SASL_MECHANISM", mechanism, login, is_used=not is_bearer, needed="SCRAM-SHA-512")
        if "SASL" in protocol and (missing := [name for name, value in proof.items() if not value]):
            asks = "KAFKA_SASL_MECHANISM is OAUTHBEARER" if is_bearer else f"KAFKA_SECURITY_PROTOCOL is {protocol}"
            raise ValueError(f"{missing[0]} is not set, and {asks}, which needs it")
        if bool(self.kafka_ssl_certfile) != bool(self.kafka_ssl_keyfile):
            raise ValueError("KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE belong together: set both, or none")
        for name, value in files.items():
            if value and not Path(value).is_file():
                raise ValueError(f"{name} is wrong: there is no file {value}")
        return self


def _used(chosen_by: str, choice: str, words: Mapping[str, str], *, is_used: bool, needed: str) -> None:
    """What is set and not used would be believed to be in force."""
    if not is_used and (unused := [name for name, value in words.items() if value]):
        raise ValueError(
            f"{unused[0]} is set, and {chosen_by} is {choice or 'not set'}, which does not use it: "
            f"set {chosen_by} to {needed}, or remove {unused[0]}"
        )


class KafkaSettings(KafkaAccess):
    """Where the brokers are, what their topics begin with, by which client they are asked, and who creates topics."""

    kafka_bootstrap_servers: str = Field(pattern=SERVERS, description="for example broker-1:9092,broker-2:9092")
    kafka_create_topics: bool = Field(
        default=True, description="create missing topics; false if Strimzi or Terraform owns them"
    )
    kafka_topic_partitions: int = Field(default=6, ge=1, le=1000, description="partitions of topics it creates")
    kafka_prefix: str = Field(
        default="",
        pattern=r"^([a-z0-9][a-z0-9._-]{0,61}[._-])?$",
        description="what topics and groups begin with where environments share brokers, for example staging.",
    )
    kafka_client: Literal["kafka-python", "confluent-kafka"] = Field(
        default="kafka-python",
        description="confluent-kafka is faster and requires the extra slipway-chassis[confluent]",
    )


class DrainSettings(BaseModel):
    """How long a process that answers calls goes on after SIGTERM."""

    graceful_timeout: int = Field(
        default=25, ge=1, le=600, description="seconds that requests in flight have to finish at shutdown"
    )


class HttpSettings(DrainSettings):
    """What the http process listens on and how much it takes from one client. Sizes in bytes, times in seconds."""

    http_port: Port = Field(default=8000, description="TCP port of HTTP")
    http_threads: int = Field(default=8, ge=1, le=64, description="maximum number of concurrent requests")
    max_body_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="maximum size of a request body in bytes; larger requests get 413"
    )
    read_timeout: int = Field(
        default=10, ge=1, le=600, description="seconds that a client may pause while it sends a request"
    )
    request_timeout: int = Field(
        default=20,
        ge=1,
        le=3600,
        description="seconds in which a request must have arrived, from its first byte to the last of its body",
    )


class GrpcSettings(DrainSettings):
    """What the grpc process listens on and how much it takes in one message."""

    grpc_port: Port = Field(default=8001, description="TCP port of gRPC")
    grpc_threads: int = Field(default=8, ge=1, le=64, description="calls that are answered at a time")
    grpc_max_message_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="bytes of one message; larger ones get RESOURCE_EXHAUSTED"
    )


def _token_types(value: str) -> str:
    if not value or not set(value.split(",")) <= {"at+jwt", "jwt"}:
        raise ValueError("must be at+jwt, jwt, or both with a comma")
    return value


class AuthSettings(BaseModel):
    """Whose tokens are accepted. Without an issuer no token is, and routes that need scopes refuse to start."""

    auth_issuer: str = Field(
        default="", max_length=500, description="issuer (iss) of accepted tokens; empty: no token is accepted"
    )
    auth_audience: str = Field(default="", max_length=200, description="audience (aud) of accepted tokens")
    auth_jwks_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="URL of the issuer's keys; default: where AUTH_ISSUER/.well-known/openid-configuration says",
    )
    auth_leeway_seconds: float = Field(default=30, ge=0, le=300, description="allowed clock skew in seconds")
    auth_token_types: Annotated[str, AfterValidator(_token_types)] = Field(
        default="at+jwt,jwt",
        description="accepted types (typ) of access tokens; at+jwt alone where the issuer follows RFC 9068",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.auth_issuer and not self.auth_audience:
            raise ValueError("AUTH_AUDIENCE is not set, and AUTH_ISSUER is: name who tokens must be meant for")
        return self


class TraceSettings(BaseModel):
    """Where traces are sent (OTLP over HTTP), and how many of them. Without an endpoint none is recorded."""

    otel_exporter_otlp_endpoint: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="endpoint of the OpenTelemetry collector, for example http://otel:4318",
    )
    trace_sample_ratio: float = Field(
        default=0.1, ge=0, le=1, description="ratio of new traces that are recorded, from 0 to 1"
    )


def _proxy(value: str) -> str:
    """As curl takes it: without a scheme it is http."""
    url = value.strip()
    url = url if "://" in url or not url else f"http://{url}"
    if url and not re.fullmatch(r"https?://\S+", url, re.IGNORECASE):
        raise ValueError("must be a proxy of HTTP, http://host:port: others (SOCKS) are not spoken here")
    return url


class ProxySettings(BaseModel):
    """The way out; standard variables. This machine, and names without a dot, are reached without it."""

    http_proxy: Annotated[str, AfterValidator(_proxy)] = Field(default="", description="proxy for http URLs")
    https_proxy: Annotated[str, AfterValidator(_proxy)] = Field(default="", description="proxy for https URLs")
    no_proxy: str = Field(
        default="", max_length=10_000, description="hosts, domains and networks that are reached without it, or *"
    )


class MachineSettings(BaseModel):
    """Where tools keep things on this machine; standard variables of the system."""

    home: str = Field(default="/", description="the user's home folder")
    java_home: str = Field(default="", description="folder of the Java that runs Kafka; default: the one on the PATH")
    path: str = Field(default="", description="folders of commands")
    maven_mirror: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Maven repository of Kafka's jars, for example a company's mirror",
    )
    slipway_cache: str = Field(default="", description="directory for downloads and builds")
    xdg_cache_home: str = Field(default="", description="directory for caches; default: ~/.cache")
    xdg_state_home: str = Field(
        default="", description="directory for data that outlives a run; default: ~/.local/state"
    )

    @property
    def cache(self) -> Path:
        """Where downloads and builds are kept: SLIPWAY_CACHE, else ``slipway`` in the user's folder for caches."""
        return Path(self.slipway_cache or Path(self.xdg_cache_home or Path(self.home) / ".cache") / "slipway")


# Words that are ours by their beginning, or that somebody would set for safety's sake. A word that nothing reads would
# be believed to be in force. Words of Kafka's own scripts, of gRPC's core and of proxies are not among them.
_OURS: tuple[tuple[type[BaseModel], re.Pattern[str]], ...] = (
    (KafkaAccess, re.compile(r"KAFKA_(?!(HOME|VERSION|IMAGE|DEBUG|OPTS|(HEAP|JMX|LOG4J|JVM|GC)_\w+|JMX_PORT)$)")),
    (AuthSettings, re.compile(r"AUTH_")),
    (DatabaseSettings, re.compile(r"DATABASE_(SSL|TLS|CA|CERT|KEY)")),
    (HttpSettings, re.compile(r"HTTP_(SSL|TLS|CA|CERT|KEY)|TLS_(CERT|KEY|CA|CLIENT)")),
    (GrpcSettings, re.compile(r"GRPC_(SSL|TLS|CA|CERT|KEY)|TLS_(CERT|KEY|CA|CLIENT)")),
)
_CURES: dict[type[BaseModel], str] = {
    DatabaseSettings: "; TLS is set in DATABASE_URL (?sslmode=verify-full)",
    HttpSettings: "; TLS is set by TLS_CERTIFICATE_FILE, TLS_KEY_FILE, TLS_CA_FILE and TLS_CALLERS",
    GrpcSettings: "; TLS is set by TLS_CERTIFICATE_FILE, TLS_KEY_FILE, TLS_CA_FILE and TLS_CALLERS",
}
# What Kubernetes says of a Service that is called kafka, auth or database.
_SERVICE_LINK = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$")

# Written by ``slipway up`` while it runs: settings by service, and under "" those that all have.
RUNNING_HERE = Path(".slipway", "environment.json")

SettingsT = TypeVar("SettingsT", bound=BaseModel)


def load(
    settings: type[SettingsT], environ: Mapping[str, str] | None = None, *, beside: type[BaseModel] | None = None
) -> SettingsT:
    """Reads the settings, or raises ConfigurationError that names every wrong variable and its cure: also one that
    looks as if it were read, and is not. ``beside``: other settings that the same environment holds.
    """
    environ = os.environ if environ is None else environ
    values = {name: environ[name.upper()] for name in settings.model_fields if name.upper() in environ}
    if unread := _unread(settings, environ, beside):
        raise ConfigurationError("; ".join(unread))
    try:
        return settings.model_validate(values)
    except ValidationError as error:
        lines = [_sentence(settings, detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
        raise ConfigurationError("; ".join(lines)) from None


def load_here(settings: type[SettingsT], service: str = "") -> SettingsT:
    """As ``load``, for people's commands: what the environment leaves open is that of a ``slipway up`` in this folder.
    ``service``: whose settings; those that all have, where none is named.
    """
    try:
        return load(settings, {**running_here().get(service, {}), **os.environ})
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error}. Nothing runs here that would say it: {RUNNING_HERE.absolute()} was looked at"
        ) from None


def running_here() -> dict[str, dict[str, str]]:
    """Settings that a ``slipway up`` in this folder gives: by service, and under "" those of all; empty without one."""
    try:
        found: dict[str, dict[str, str]] = json.loads(RUNNING_HERE.read_text())
    except (OSError, ValueError):
        return {}
    else:
        return found


def _unread(settings: type[BaseModel], environ: Mapping[str, str], beside: type[BaseModel] | None) -> list[str]:
    fields = [*settings.model_fields, *(beside.model_fields if beside else ())]
    known = sorted(name.upper() for name in fields)
    sentences = []
    for owner, ours in _OURS:
        if not issubclass(settings, owner) or (owner is AuthSettings and not environ.get("AUTH_ISSUER")):
            continue
        for name in sorted(environ):
            if ours.match(name) and name not in known and not _SERVICE_LINK.search(name):
                prefix = name.partition("_")[0]
                others = ", ".join(word for word in known if word.startswith(f"{prefix}_"))
                cure = _CURES.get(owner, "")
                sentences.append(f"{name} is set, and nothing reads it{cure}: remove it, or use one of {others}")
    return sentences


def load_or_exit(settings: type[SettingsT], *, beside: type[BaseModel] | None = None) -> SettingsT:
    """For entry points: settings, or the end of the process with one sentence on standard error."""
    try:
        return load(settings, beside=beside)
    except ConfigurationError as error:
        sys.exit(f"error: {error}")


def _sentence(settings: type[BaseModel], location: tuple[int | str, ...], kind: str, message: str) -> str:
    if not location:  # a rule over several settings names them itself
        return message.removeprefix("Value error, ")
    field = str(location[0])
    hint = settings.model_fields[field].description
    what = "is not set" if kind == "missing" else f"is wrong: {message.removeprefix('Value error, ')}"
    return f"{field.upper()} {what}" + (f" ({hint})" if hint else "")
