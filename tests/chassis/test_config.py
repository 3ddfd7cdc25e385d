import pytest

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
