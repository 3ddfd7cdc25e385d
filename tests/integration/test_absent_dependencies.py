"""A process whose PostgreSQL or Kafka is away waits, says so in its log, and /readyz says which."""

import http.client
import json
import signal
import socket
import subprocess
import sys

import pytest

from slipway_chassis.embedded.processes import free_port
from slipway_chassis.testing.plugin import eventually
from support.shop import settings_of

pytestmark = pytest.mark.integration


class Process:
    def __init__(self, service, process, folder, **environment):
        self.admin_port = free_port()
        self.http_port = free_port()
        self.log = folder / "log"
        settings = settings_of(service) | {"ADMIN_PORT": str(self.admin_port), "HTTP_PORT": str(self.http_port)}
        with self.log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "slipway_chassis", "run", service, process],
                env=settings | environment,
                stdout=output,
                stderr=output,
            )

    def readiness(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            return None
        finally:
            connection.close()

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(40)


@pytest.fixture(name="start")
def _start(tmp_path):
    started = []

    def start(service, process, **environment):
        started.append(Process(service, process, tmp_path, **environment))
        return started[-1]

    yield start
    for process in started:
        process._process.kill()
        process._process.wait()


def nowhere():
    return f"postgresql://u:p@127.0.0.1:{free_port()}/d"


@pytest.mark.parametrize("name", ["users http", "orders relay", "users consumer", "orders worker"])
def test_an_absent_postgresql_is_named_and_the_process_stops_when_asked(start, name, kafka):
    process = start(*name.split(), DATABASE_URL=nowhere(), KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers)

    status, body = eventually(process.readiness)

    assert (status, body["status"]) == (503, "unavailable")
    assert body["checks"]["postgresql"]["ok"] is False
    assert "refused" in body["checks"]["postgresql"]["detail"].lower()
    if not name.endswith("http"):
        assert body["checks"]["kafka"] == {"ok": True}
        eventually(lambda: "waiting for PostgreSQL" in process.log.read_text())
    assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


def test_an_absent_kafka_is_named(start, database_url):
    environment = {"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    assert start("users", "migrate", DATABASE_URL=database_url)._process.wait(60) == 0
    process = start("users", "consumer", **environment)

    status, body = eventually(process.readiness)

    assert status == 503
    assert body["checks"]["postgresql"] == {"ok": True}
    assert body["checks"]["kafka"]["ok"] is False
    eventually(lambda: "waiting for Kafka" in process.log.read_text())
    assert process.stop() == 0


def test_slow_clients_do_not_stop_the_process(start, database_url):
    assert start("users", "migrate", DATABASE_URL=database_url)._process.wait(60) == 0
    process = start("users", "http", DATABASE_URL=database_url, READ_TIMEOUT="1", HTTP_THREADS="4")
    eventually(lambda: (process.readiness() or (0,))[0] == 200)
    head = b"POST /v2/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    slow = [socket.create_connection(("127.0.0.1", process.http_port)) for _ in range(8)]
    for connection in slow[:4]:
        connection.sendall(head)
    for connection in slow[4:]:
        connection.sendall(b"G")

    healthy = http.client.HTTPConnection("127.0.0.1", process.http_port, timeout=30)
    healthy.request("GET", "/.well-known/jwks.json")

    assert healthy.getresponse().status == 200
    assert b"408" in slow[0].recv(100)
    for connection in slow:
        connection.close()


def test_a_missing_setting_ends_the_process_with_a_sentence(start):
    process = start("users", "http")

    assert process._process.wait(60) != 0
    assert "DATABASE_URL is not set" in process.log.read_text()
    assert "Traceback" not in process.log.read_text()
