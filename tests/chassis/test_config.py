import pytest
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.engine import make_url

from slipway_chassis.config import (
    RUNNING_HERE,
    AuthSettings,
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    ProcessSettings,
    load,
    load_here,
)
from slipway_chassis.errors import ConfigurationError


class Everything(ProcessSettings, DatabaseSettings, KafkaSettings, HttpSettings):
    pass


GOOD = {"DATABASE_URL": "postgresql://u:p@h:5432/d", "KAFKA_BOOTSTRAP_SERVERS": "k:9092"}


def test_the_driver_is_added_to_the_url_and_the_password_is_not_shown():
    settings = load(Everything, GOOD)

    assert settings.database_url.get_secret_value() == "postgresql+psycopg://u:p@h:5432/d"
    assert "u:p" not in repr(settings)


def test_every_wrong_variable_is_named_with_its_cure():
    with pytest.raises(ConfigurationError) as error:
        load(Everything, {"HTTP_PORT": "eighty", "KAFKA_BOOTSTRAP_SERVERS": "nowhere"})

    assert "DATABASE_URL is not set (for example postgresql://" in str(error.value)
    assert "HTTP_PORT is wrong" in str(error.value)
    assert "KAFKA_BOOTSTRAP_SERVERS is wrong" in str(error.value)


@pytest.mark.parametrize("url", ["mysql://h/d", "h:5432", "postgresql", ""])
def test_a_url_of_another_kind_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigurationError, match="DATABASE_URL is wrong: must look like postgresql://"):
        load(Everything, GOOD | {"DATABASE_URL": url})


@pytest.mark.parametrize(
    ("hosts", "hosts_and_ports"),
    [
        ("h1:5432,h2:5433", ("h1,h2", "5432,5433")),
        ("h1,[::1]:2", ("h1,::1", "5432,2")),
    ],
)
def test_a_url_may_name_several_hosts_as_libpq_takes_them(hosts, hosts_and_ports):
    url = load(Everything, GOOD | {"DATABASE_URL": f"postgresql://u:p%40@{hosts}/d?sslmode=require"}).database_url

    _, connects_with = psycopg_dialect().create_connect_args(make_url(url.get_secret_value()))

    assert connects_with.pop("sslmode") == "require"
    assert (connects_with.pop("host"), connects_with.pop("port")) == hosts_and_ports
    assert connects_with == {"user": "u", "password": "p@", "dbname": "d"}


def test_a_password_may_have_a_raw_at():
    url = load(Everything, GOOD | {"DATABASE_URL": "postgresql://u:p@ss@w:0rd@h:5433/d"}).database_url
    made = make_url(url.get_secret_value())
    assert (made.username, made.password, made.host, made.port, made.database) == ("u", "p@ss@w:0rd", "h", 5433, "d")


@pytest.mark.parametrize("url", ["u:w0rd/x@h/d", "u:12/w0rd@h/d", "u:p@h:w0rd/d", "u:p@h1:1,h2:w0rd/d"])
def test_what_can_t_be_a_url_ends_in_one_sentence_without_any_of_it(url):
    with pytest.raises(ConfigurationError, match="%2F") as told:
        load(Everything, GOOD | {"DATABASE_URL": f"postgresql://{url}"})
    assert "w0rd" not in str(told.value)


SAFE = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "shop",
    "KAFKA_SASL_PASSWORD": "correct horse",
}
BEARER = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "https://idp.example/token",
    "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": "orders",
    "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": "correct horse",
}


def test_a_password_of_kafka_is_taken_and_not_shown():
    settings = load(KafkaSettings, GOOD | SAFE)

    assert settings.kafka_sasl_password.get_secret_value() == "correct horse"
    assert "correct horse" not in repr(settings)
    assert "correct horse" not in repr(load(KafkaSettings, GOOD | BEARER))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"KAFKA_SASL_USERNAME": "shop"}, "KAFKA_SASL_USERNAME is set, and KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        ({"KAFKA_SSL_CAFILE": "/ca.crt"}, "KAFKA_SSL_CAFILE is set, and KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        (SAFE | {"KAFKA_SASL_PASSWORD": ""}, "KAFKA_SASL_PASSWORD is not set"),
        (SAFE | {"KAFKA_SSL_CAFILE": "/nowhere/ca.crt"}, "there is no file /nowhere/ca.crt"),
        (SAFE | {"KAFKA_SSL_CERTFILE": __file__}, "belong together"),
        (SAFE | {"KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM is wrong"),
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL is wrong"),
        (SAFE | {"KAFKA_SASL_MECHANISM": "OAUTHBEARER"}, "KAFKA_SASL_MECHANISM is OAUTHBEARER, which does not use it"),
        (BEARER | {"KAFKA_SASL_MECHANISM": "PLAIN"}, "set KAFKA_SASL_MECHANISM to OAUTHBEARER, or remove KAFKA_SASL_O"),
        (
            BEARER | {"KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": ""},
            "CLIENT_SECRET is not set, and KAFKA_SASL_MECHANISM is",
        ),
        (BEARER | {"KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "idp/token"}, "ENDPOINT_URL is wrong"),
        ({"KAFKA_SASL_OAUTHBEARER_SCOPE": "kafka"}, "KAFKA_SASL_OAUTHBEARER_SCOPE is set, and KAFKA_SASL_MECHANISM is"),
    ],
)
def test_half_of_what_makes_kafka_safe_is_refused(words, sentence):
    with pytest.raises(ConfigurationError) as error:
        load(KafkaSettings, GOOD | words)

    assert sentence in str(error.value)
    assert "correct horse" not in str(error.value)


@pytest.mark.parametrize(
    "word",
    ["KAFKA_SECURITY_PROTOCOLL", "KAFKA_SSL_CA_LOCATION", "KAFKA_USERNAME", "DATABASE_SSLMODE", "HTTP_TLS_CERT"],
)
def test_a_word_that_nothing_reads_is_not_taken_for_safety(word):
    with pytest.raises(ConfigurationError, match=f"{word} is set, and nothing reads it"):
        load(Everything, GOOD | {word: "x"})


def test_a_word_of_the_issuer_that_nothing_reads_is_refused_where_there_is_an_issuer():
    issuer = {"AUTH_ISSUER": "https://issuer", "AUTH_AUDIENCE": "shop"}

    with pytest.raises(ConfigurationError, match="AUTH_ALGORITHMS is set, and nothing reads it"):
        load(AuthSettings, issuer | {"AUTH_ALGORITHMS": "ES256"})
    load(AuthSettings, {"AUTH_TOKEN": "another program's"})


@pytest.mark.parametrize(
    "word",
    ["KAFKA_PORT", "KAFKA_PORT_9092_TCP_ADDR", "KAFKA_SERVICE_HOST", "KAFKA_SERVICE_PORT_TCP_KAFKA", "KAFKA_HEAP_OPTS",
     "SHOP_KAFKA_USERNAME", "DATABASE_PASSWORD", "HTTP_PROXY", "KAFKA_HOME"],
)  # fmt: skip
def test_words_of_kubernetes_and_of_other_programs_are_let_be(word):
    load(Everything, GOOD | {word: "x"})


def test_settings_of_the_service_itself_may_begin_like_ours():
    class Own(BaseModel):
        kafka_audit_topic: str

    load(Everything, GOOD | {"KAFKA_AUDIT_TOPIC": "audit"}, beside=Own)


def test_commands_in_the_folder_of_a_running_project_know_its_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(ConfigurationError, match=r"Nothing runs here that would say it: .*/\.slipway/environment.json"):
        load_here(KafkaSettings)
    (tmp_path / ".slipway").mkdir()
    (tmp_path / RUNNING_HERE).write_text('{"": {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}}')

    assert load_here(KafkaSettings).kafka_bootstrap_servers == "127.0.0.1:1"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:2")
    assert load_here(KafkaSettings).kafka_bootstrap_servers == "kafka:2"
