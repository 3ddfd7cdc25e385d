"""PgBouncer between a service and PostgreSQL: as good as none in session mode, refused with a sentence in others."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from contextlib import contextmanager

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text

from slipway_chassis.database import Database, Schema
from slipway_chassis.database.sessions import LOCK_TIMEOUT_MS, STATEMENT_TIMEOUT_MS
from slipway_chassis.embedded.processes import Child, free_port, port_open
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.events.shards import Shards
from slipway_chassis.events.wakeup import channel_of
from slipway_chassis.lifecycle import Stop
from support.tools import needs, system_tool

pytestmark = [pytest.mark.integration, needs("pgbouncer", "pgbouncer")]
USER = "nobody"


@pytest.fixture(name="pooler")
def _pooler(database_url, run_folder):
    """Starts PgBouncer as Debian has it; gives the URL of the test's database behind it."""
    url = make_url(database_url)

    @contextmanager
    def running(**settings):
        folder, port = run_folder / f"pgbouncer-{uuid.uuid4().hex[:8]}", free_port()
        folder.mkdir()
        (folder / "users.txt").write_text(f'"{url.username}" "{url.password}"\n')
        lines = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "scram-sha-256",
                 "auth_file": folder / "users.txt", "pidfile": folder / "pid"} | settings  # fmt: skip
        said = "".join(f"{name} = {value}\n" for name, value in lines.items())
        (folder / "pgbouncer.ini").write_text(f"[databases]\n* = host={url.host} port={url.port}\n[pgbouncer]\n{said}")
        user = USER if os.geteuid() == 0 else None  # it refuses to run as root
        if user:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        child = Child(
            "PgBouncer", [system_tool("pgbouncer"), str(folder / "pgbouncer.ini")], folder / "log", {}, user=user
        )
        child.start_and_wait(lambda: port_open(port), 20)
        try:
            yield url.set(port=port, drivername="postgresql+psycopg").render_as_string(hide_password=False)
        finally:
            child.stop()

    return running


@contextmanager
def connected(url, name="t", pool_size=4):
    database = Database(SecretStr(url), application_name=name, pool_size=pool_size)
    try:
        yield database
    finally:
        database.close()


def settings_of(database):
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT name, setting FROM pg_settings WHERE name LIKE '%timeout'")).all()
    return {name: int(value) for name, value in found if name in {"statement_timeout", "lock_timeout"}}


LIMITS = {"statement_timeout": STATEMENT_TIMEOUT_MS, "lock_timeout": LOCK_TIMEOUT_MS}


@pytest.mark.parametrize("extra", [{}, {"ignore_startup_parameters": "options"}, {"default_pool_size": 1}], ids=str)
def test_session_mode_has_the_time_limits_and_migrates(pooler, extra):
    with pooler(pool_mode="session", **extra) as url, connected(url, pool_size=1) as database:
        assert "from nothing to" in Schema(database, "users").upgrade(Stop())
        assert settings_of(database) == LIMITS


def test_session_mode_parts_the_shards_between_relays_and_carries_wakeups(pooler):
    with pooler(pool_mode="session") as url, connected(url) as one, connected(url) as other:
        Schema(one, "users").upgrade(Stop())
        with one.autocommit() as first, other.autocommit() as second:
            shares = [Shards(first), Shards(second)]
            for shards in [*shares, *shares]:
                shards.rebalance()
            assert not shares[0].owned & shares[1].owned
            assert len(shares[0].owned) == len(shares[1].owned)

            first.execute(text(f"LISTEN {channel_of(first)}"))
            second.execute(text("SELECT pg_notify(:channel, '3')"), {"channel": channel_of(second)})
            driver = first.connection.driver_connection
            assert [said.payload for said in driver.notifies(timeout=10, stop_after=1)] == ["3"]


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize(
    "extra", [{}, {"ignore_startup_parameters": "options", "server_round_robin": 1, "min_pool_size": 4}], ids=str
)
def test_other_modes_are_refused_at_the_first_connection(pooler, mode, extra):
    with pooler(pool_mode=mode, **extra) as url, connected(url) as database:
        with pytest.raises(ConfigurationError, match="set pool_mode = session"):
            database.ping()
        with pytest.raises(ConfigurationError, match="set pool_mode = session"):
            database.ping()


@pytest.mark.parametrize("process", ["relay", "migrate"])
def test_a_process_ends_with_one_sentence(pooler, process):
    with pooler(pool_mode="transaction") as url:
        environment = {"DATABASE_URL": url.replace("+psycopg", ""), "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        argv = [sys.executable, "-m", "slipway_chassis", "run", "orders", process]
        port = {"ADMIN_PORT": str(free_port())}
        done = subprocess.run(argv, env=environment | port, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 1
    assert "error: the pooler in front of PostgreSQL" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pooler_that_is_in_use_is_refused_as_well(pooler):
    with pooler(pool_mode="transaction", min_pool_size=4) as url, connected(url) as database:
        busy = [database.engine.dialect.connect(**database.engine.dialect.create_connect_args(make_url(url))[1])
                for _ in range(3)]  # fmt: skip
        for connection in busy[:2]:
            connection.execute("SELECT 1")  # within a transaction: it keeps its server's session
        with pytest.raises(ConfigurationError, match="set pool_mode = session"):
            database.ping()
        for connection in busy:
            connection.close()


def test_options_of_the_url_that_a_pooler_refuses_are_named(pooler):
    with (
        pooler(pool_mode="session") as url,
        connected(f"{url}?options=-csearch_path%3Dmine") as database,
        pytest.raises(ConfigurationError, match=re.escape("take ?options= out")),
    ):
        database.ping()


@pytest.mark.parametrize("options", ["-clock_timeout%3D77", "-c%20lock_timeout%3D77", "--lock-timeout%3D77"])
def test_what_the_url_names_takes_precedence_without_a_pooler(database_url, options):
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    with connected(f"{url}?options={options}") as database:
        assert settings_of(database) == LIMITS | {"lock_timeout": 77}
