"""PostgreSQL by TLS: the certificate is checked as PGSSLMODE and PGSSLROOTCERT say, as charts set them. 6 s."""

import sys
from contextlib import contextmanager

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text

from slipway_chassis.database import Database
from slipway_chassis.embedded.processes import Child, free_port, port_open
from slipway_chassis.errors import DatabaseUnavailable
from support.cluster.authority import Authority, pem
from support.repository import ROOT

pytestmark = pytest.mark.integration


@pytest.fixture(name="front")
def _front(database_url, tmp_path):
    """URL of the test's database by TLS, its authority, and the folder with its certificate, which is for localhost."""
    url, port, authority = make_url(database_url), free_port(), Authority()
    mounted = authority.write(tmp_path, "localhost")
    program = [sys.executable, str(ROOT / "tests" / "support" / "postgresql_tls.py"), str(port), str(url.port)]
    front = Child("TLS", [*program, str(mounted / "tls.crt"), str(mounted / "tls.key")], tmp_path / "log", {})
    front.start_and_wait(lambda: port_open(port), 20)
    yield url.set(host="localhost", port=port, drivername="postgresql+psycopg"), authority, mounted
    front.stop()


@pytest.fixture(name="verified", autouse=True)
def _verified(front, monkeypatch):
    """As the charts have it with sslMode and caSecretName."""
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(front[2] / "ca.crt"))
    return monkeypatch


@contextmanager
def connected(url):
    database = Database(SecretStr(url.render_as_string(hide_password=False)), application_name="t", pool_size=2)
    try:
        yield database
    finally:
        database.close()


def ping(url):
    with connected(url) as database:
        database.ping()


def test_a_certificate_of_that_authority_and_name_is_taken(front):
    url, *_ = front
    with connected(url) as database, database.engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
        assert connection.connection.driver_connection.pgconn.ssl_in_use


def test_one_that_is_renewed_is_taken_by_the_next_connection_and_open_ones_go_on(front):
    url, authority, mounted = front
    with connected(url) as database, database.engine.connect() as first:
        first.execute(text("SELECT 1"))
        authority.write(mounted, "localhost")
        with database.engine.connect() as second:
            assert second.execute(text("SELECT 1")).scalar() == 1
        assert first.execute(text("SELECT 1")).scalar() == 1


def test_another_authority_is_refused(front):
    url, _, mounted = front
    Authority().write(mounted, "localhost")  # of a stranger; what is trusted is read at each connection
    ping(url)
    (mounted / "old.crt").write_text(pem(Authority().certificate))
    with pytest.raises(DatabaseUnavailable, match="SSL error"):
        ping(url.update_query_dict({"sslrootcert": str(mounted / "old.crt")}))


def test_another_name_is_refused(front):
    url, *_ = front
    with pytest.raises(DatabaseUnavailable, match="does not match host name"):
        ping(url.set(host="127.0.0.1"))


def test_plain_text_is_not_spoken(front, verified):
    verified.setenv("PGSSLMODE", "disable")
    with pytest.raises(DatabaseUnavailable):
        ping(front[0])


def test_a_server_without_tls_is_refused(database_url):
    """What `prefer`, libpq's default, would take."""
    with pytest.raises(DatabaseUnavailable, match="server does not support SSL"):
        ping(make_url(database_url))
