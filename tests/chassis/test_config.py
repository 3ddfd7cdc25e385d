import pytest
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.engine import make_url

from slipway_chassis.config import DatabaseSettings, HttpSettings, KafkaSettings, ProcessSettings, load
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
