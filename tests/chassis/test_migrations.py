"""A migration holds up no request, ends when it is asked to, and bears a second one and what a broken one left."""

import threading
import time
from contextlib import suppress
from itertools import count

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from slipway_chassis.database import Schema
from slipway_chassis.errors import DatabaseUnavailable
from slipway_chassis.lifecycle import Stop
from slipway_chassis.testing.plugin import eventually

pytestmark = pytest.mark.integration
numbers = count()
ADD_COLUMN = 'op.execute("ALTER TABLE things ADD COLUMN IF NOT EXISTS added int")'
ADD_INDEX = """op.execute("SELECT pg_sleep(0.5)")
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY things_by_n ON things (n)")"""


@pytest.fixture(name="schema_of")
def _schema_of(database, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE things (n int)"))

    def schema_of(step):
        package = f"migrated_{next(numbers)}"
        folder = tmp_path / package / "migrations"
        (folder / "versions").mkdir(parents=True)
        (tmp_path / package / "__init__.py").touch()
        (folder / "env.py").write_text("from slipway_chassis.database import run_migrations\n\nrun_migrations()\n")
        (folder / "versions" / "first.py").write_text(
            f'from alembic import op\n\nrevision = "0001"\ndown_revision = None\n\n\ndef upgrade():\n    {step}\n'
        )
        return Schema(database, package)

    return schema_of


class Upgrade:
    """An upgrade in a thread of its own; ``outcome`` is what it said or raised."""

    def __init__(self, schema):
        self.outcome = None
        self.stop = Stop()
        self._thread = threading.Thread(target=self._run, args=(schema,))
        self._thread.start()

    def _run(self, schema):
        try:
            self.outcome = schema.upgrade(self.stop)
        except Exception as error:  # noqa: BLE001 # it is what the test asks for
            self.outcome = error

    def ended(self):
        self._thread.join(90)
        assert not self._thread.is_alive()
        return self.outcome


def test_a_migration_lets_requests_pass_while_a_table_is_locked(database, schema_of, caplog):
    with database.transaction() as reader:
        reader.execute(text("SELECT * FROM things"))
        migration = Upgrade(schema_of(ADD_COLUMN))
        eventually(lambda: "the migration waits" in caplog.text)
        with database.transaction() as session:
            session.execute(text("INSERT INTO things VALUES (1)"))

    assert "to 0001" in migration.ended()


@pytest.mark.parametrize("step", [ADD_COLUMN, 'op.execute("SELECT pg_sleep(300)")'])
def test_a_stop_ends_a_migration_whatever_it_waits_for(database, schema_of, step):
    with database.transaction() as reader:
        reader.execute(text("SELECT * FROM things"))
        migration = Upgrade(schema_of(step))
        eventually(lambda: _active(database, "ALTER TABLE things%", "SELECT pg_sleep(300)%"))
        migration.stop.request()

        assert isinstance(migration.ended(), DatabaseUnavailable)
    assert not _active(database, "ALTER TABLE things%", "SELECT pg_sleep(300)%")


def _active(database, *statements):
    with database.autocommit() as connection:
        return connection.scalar(
            text("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE ANY(:statements)"),
            {"statements": list(statements)},
        )


def test_an_index_is_built_concurrently_beside_a_second_migration(schema_of):
    schema = schema_of(ADD_INDEX)
    said = sorted(one.ended() for one in [Upgrade(schema), Upgrade(schema)])

    assert said == ["the schema is at 0001 already", "the schema went from nothing to 0001"]


def test_an_index_that_was_broken_off_is_built_anew(database, schema_of):
    with database.autocommit() as connection:
        connection.execute(text("INSERT INTO things VALUES (1), (1)"))
        with suppress(IntegrityError):
            connection.execute(text("CREATE UNIQUE INDEX CONCURRENTLY things_by_n ON things (n)"))

    assert schema_of(ADD_INDEX).upgrade() == "the schema went from nothing to 0001"


def test_another_migration_is_waited_for_without_a_transaction(database, schema_of):
    with database.autocommit() as other:
        other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": 0x51_1B_A7})  # as the version before takes it
        migration = Upgrade(schema_of(ADD_COLUMN))
        time.sleep(1)
        assert migration.outcome is None
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        assert other.scalar(text(waiting + " AND datname = current_database()")) == 0
        other.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": 0x51_1B_A7})

    assert "to 0001" in migration.ended()
