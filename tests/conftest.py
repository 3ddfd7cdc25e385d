"""Fixtures that all tests may use: real PostgreSQL and Kafka, started once as child processes."""

import shutil
import tempfile
import time
import uuid
from pathlib import Path

import pytest
from pydantic import SecretStr

from slipway_chassis.config import KafkaSettings, MachineSettings, load
from slipway_chassis.database import Database
from slipway_chassis.embedded import kafka as embedded_kafka
from slipway_chassis.embedded import postgresql as embedded_postgresql
from slipway_chassis.embedded.processes import free_port

ROOT = Path(__file__).parent.parent


def eventually(condition, *, within=60.0, every=0.05):
    """Polls until the condition holds and returns what it gave; fails after ``within`` seconds."""
    deadline = time.monotonic() + within
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not true within {within:.0f} s: {condition}"
        time.sleep(every)


@pytest.fixture(scope="session", name="machine")
def _machine():
    return load(MachineSettings)


@pytest.fixture(scope="session", name="run_folder")
def _run_folder():
    """A folder that PostgreSQL's unprivileged user may enter; pytest's own belong to root alone."""
    folder = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", name="postgresql")
def _postgresql(run_folder):
    server = embedded_postgresql.start(run_folder / "postgresql", port=free_port())
    yield server
    server.child.stop()


@pytest.fixture(scope="session", name="kafka")
def _kafka(run_folder, machine):
    broker = embedded_kafka.start(run_folder / "kafka", port=free_port(), controller_port=free_port(), machine=machine)
    yield broker
    broker.child.stop()


@pytest.fixture(name="kafka_settings")
def _kafka_settings(kafka):
    return KafkaSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, kafka_topic_partitions=3)


@pytest.fixture(name="database_url")
def _database_url(postgresql):
    """A database of its own for each test."""
    return postgresql.ensure_database(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture(name="database")
def _database(database_url):
    database = Database(SecretStr(database_url.replace("postgresql://", "postgresql+psycopg://")), application_name="t")
    yield database
    database.close()


@pytest.fixture(name="topic")
def _topic():
    return f"test.{uuid.uuid4().hex[:12]}.v1"
