"""pytest fixtures for tests of services: real PostgreSQL and Kafka as child processes, started once.

In a conftest.py:

    pytest_plugins = ["slipway_chassis.testing.plugin"]

Then a test asks for ``database`` (a database of its own), ``kafka_settings``, ``broker`` (Kafka in memory),
``issuer`` (signs tokens), ``eventually`` (waits for a condition) or ``client_of`` (a service's application
on a migrated database).
"""

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import BaseModel, SecretStr

from ..auth.keys import Keys
from ..auth.tokens import Verifier
from ..config import KafkaSettings, MachineSettings, load
from ..database import Database
from ..embedded import kafka as embedded_kafka
from ..embedded import postgresql as embedded_postgresql
from ..embedded.processes import free_port
from ..resources import Resources
from ..service import Service
from .broker import MemoryBroker
from .issuer import FakeIssuer


def eventually(condition: Callable[[], Any], *, within: float = 60.0, every: float = 0.05) -> Any:
    """Polls until the condition holds and returns what it gave; fails after ``within`` seconds."""
    deadline = time.monotonic() + within
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not true within {within:.0f} s: {condition}"  # noqa: S101 # for tests
        time.sleep(every)


@pytest.fixture(scope="session", name="machine")
def _machine() -> MachineSettings:
    return load(MachineSettings)


@pytest.fixture(scope="session", name="run_folder")
def _run_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's unprivileged user may enter; pytest's own belong to root alone."""
    folder = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", name="postgresql")
def _postgresql(run_folder: Path) -> Iterator[embedded_postgresql.PostgreSQL]:
    # Hundreds of databases would be written to the disk at its end, which took a minute and a half.
    server = embedded_postgresql.start(run_folder / "postgresql", port=free_port(), durable=False)
    yield server
    server.child.stop()


@pytest.fixture(scope="session", name="kafka")
def _kafka(run_folder: Path, machine: MachineSettings) -> Iterator[embedded_kafka.Kafka]:
    broker = embedded_kafka.start(run_folder / "kafka", port=free_port(), controller_port=free_port(), machine=machine)
    yield broker
    broker.child.stop()


@pytest.fixture(name="kafka_settings")
def _kafka_settings(kafka: embedded_kafka.Kafka) -> KafkaSettings:
    return KafkaSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, kafka_topic_partitions=3)


@pytest.fixture(name="database_url")
def _database_url(postgresql: embedded_postgresql.PostgreSQL) -> str:
    """A database of its own for each test."""
    return postgresql.ensure_database(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture(name="database")
def _database(database_url: str) -> Iterator[Database]:
    url = SecretStr(database_url.replace("postgresql://", "postgresql+psycopg://"))
    database = Database(url, application_name="t")
    yield database
    database.close()


@pytest.fixture(name="topic")
def _topic() -> str:
    return f"test.{uuid.uuid4().hex[:12]}.v1"


@pytest.fixture(name="broker")
def _broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture(name="issuer")
def _issuer() -> FakeIssuer:
    return FakeIssuer()


@pytest.fixture(name="eventually", scope="session")
def _eventually() -> Callable[..., Any]:
    return eventually


@pytest.fixture(name="client_of")
def _client_of(database: Database, issuer: FakeIssuer) -> Callable[..., FlaskClient]:
    """A test client of a service, on a migrated database of its own, with a token of the ``issuer``."""

    def client_of(
        declared: Service, *, settings: BaseModel | None = None, subject: str = "ada", scopes: Sequence[str] = ()
    ) -> FlaskClient:
        declared.schema(database).upgrade()
        verifier = Verifier(Keys(issuer.fetch), issuer=issuer.url, audience=issuer.audience)
        client = declared.build_app(Resources(database=database, verifier=verifier, settings=settings)).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {issuer.token(subject, scopes=scopes)}"
        return client

    return client_of
