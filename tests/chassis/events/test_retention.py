import pytest
from sqlalchemy import text

from slipway_chassis.events import tables
from slipway_chassis.events.retention import forget_now_and_then
from slipway_chassis.lifecycle import Stop
from slipway_chassis.testing.plugin import eventually

pytestmark = pytest.mark.integration


def test_old_answers_are_forgotten_also_where_the_tables_came_later(database, caplog):
    stop = Stop()
    forget_now_and_then(database, seconds=0.05, stop=stop)
    eventually(lambda: "UndefinedTable" in caplog.text or "ProgrammingError" in caplog.text)

    with database.engine.begin() as connection:
        tables.create_v2(connection)
        connection.execute(
            text("INSERT INTO idempotency_keys VALUES ('o', 'k', 'h', 200, '{}', '', now() - interval '25 hours')")
        )

    def kept():
        with database.autocommit() as connection:
            return connection.scalar(text("SELECT count(*) FROM idempotency_keys"))

    eventually(lambda: kept() == 0)
    stop.request()
