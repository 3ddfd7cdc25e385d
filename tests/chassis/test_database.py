import threading

import pytest
from pydantic import SecretStr
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import InternalError

from slipway_chassis.database import Database, Schema
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.errors import DatabaseUnavailable

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(("package", "newest"), [("users", "0004"), ("orders", "0003"), ("inventory", "0001")])
def test_a_schema_is_made_once_by_however_many_at_the_same_time(database, package, newest):
    said = []
    threads = [threading.Thread(target=lambda: said.append(Schema(database, package).upgrade())) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(said) == [f"the schema is at {newest} already"] * 3 + [f"the schema went from nothing to {newest}"]
    Schema(database, package).check()


def test_an_empty_database_is_not_ready(database):
    with pytest.raises(DatabaseUnavailable, match="the schema is at nothing, needs 0004"):
        Schema(database, "users").check()


def test_a_newer_schema_is_left_alone_and_fits(database):
    schema = Schema(database, "users")
    schema.upgrade()
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert "newer than this version" in schema.upgrade()
    Schema(database, "users").check()


def test_an_absent_server_is_said_in_one_line():
    database = Database(SecretStr(f"postgresql+psycopg://u:p@127.0.0.1:{free_port()}/d"), application_name="t")

    with pytest.raises(DatabaseUnavailable) as error:
        database.ping()

    assert "\n" not in str(error.value)
    assert "refused" in str(error.value).lower()


def test_after_a_fail_over_no_connection_stays_at_a_reader(database):
    """As a standby that is promoted, or a full disk: read-only for a while, and told so to new sessions alone."""
    url = database.engine.url
    administrator = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def set_read_only(value):
        with administrator.connect() as connection:
            connection.execute(text("SET default_transaction_read_only = off"))
            connection.execute(text(f'ALTER DATABASE "{url.database}" SET default_transaction_read_only = {value}'))

    def write():
        with database.transaction() as session:
            session.execute(text("CREATE TABLE IF NOT EXISTS written ()"))

    set_read_only("on")
    with database.transaction() as one, database.transaction() as another:  # two connections to the reader
        one.execute(text("SELECT 1"))
        another.execute(text("SELECT 1"))
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        write()
    set_read_only("off")
    write()

    set_read_only("on")
    database.close()
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        database.ping()
    set_read_only("off")
    database.ping()
    write()


def test_a_read_only_transaction_of_its_author_is_a_mistake_and_no_outage(database):
    with pytest.raises(InternalError, match="read-only"), database.transaction() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        session.execute(text("CREATE TABLE written ()"))
