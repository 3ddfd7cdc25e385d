"""Two services in two schemas of one database, as ``search_path`` in the URL or of a role makes them."""

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from slipway_chassis.database import Database, try_lock
from slipway_chassis.events import tables
from slipway_chassis.events.shards import SHARDS, Shards
from slipway_chassis.events.wakeup import channel_of

pytestmark = pytest.mark.integration


@pytest.fixture(name="two_services")
def _two_services(database, database_url):
    services = []
    for schema in ("sa", "sb"):
        with database.engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        url = f"{database_url.replace('postgresql://', 'postgresql+psycopg://')}?options=-csearch_path%3D{schema}"
        services.append(Database(SecretStr(url), application_name=schema))
        with services[-1].engine.begin() as connection:
            tables.create_v1(connection)
    yield services
    for one in services:
        one.close()


def test_each_relay_owns_all_shards_of_its_outbox_and_hears_its_own_wakeups(two_services):
    first, second = two_services
    with first.autocommit() as one, second.autocommit() as another:
        relays = [Shards(one), Shards(another)]
        for shards in relays:
            shards.rebalance()

        assert [len(shards.owned) for shards in relays] == [SHARDS, SHARDS]
        assert len({channel_of(one), channel_of(another), "slipway_outbox"}) == 3
        one.invalidate()
        another.invalidate()


def test_locks_of_one_name_are_two(two_services):
    first, second = two_services
    with first.transaction() as one, second.transaction() as another, first.transaction() as replica:
        assert try_lock(one, "timer time-outs")
        assert try_lock(another, "timer time-outs")
        assert not try_lock(replica, "timer time-outs")


def test_in_public_locks_keep_the_names_that_a_version_before_takes(database):
    with database.engine.begin() as connection:
        tables.create_v1(connection)
    with database.transaction() as before, database.transaction() as now:
        before.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('timer t', 0))"))
        assert not try_lock(now, "timer t")
        assert channel_of(now.connection()) == "slipway_outbox"


def test_options_of_the_url_stand_beside_ours(two_services):
    with two_services[0].transaction() as session:
        assert session.scalar(text("SHOW search_path")) == "sa"
        assert session.scalar(text("SHOW lock_timeout")) == "5s"
