"""Connections follow the switch: a version that gets no new requests lets go of its clients and goes on answering.

A real process of a service, as `slipway run` starts it, and its file as the kubelet writes it.
"""

import http.client
import os
import socket
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from slipway_chassis.embedded.processes import Child, free_port
from slipway_chassis.testing.plugin import eventually
from slipway_gateway.binary import envoy_binary
from slipway_gateway.config_files import write
from slipway_gateway.settings import Listen
from slipway_gateway.settings_file import checked
from support.load import Anybody, Load

pytestmark = pytest.mark.integration
PINGER = """
import time
from flask import Blueprint, Response
from slipway_chassis.http import Api, Output, Resources, current_parts
from slipway_chassis.service import service

api, pages = Api("v1"), Blueprint("pages", __name__)

class Pong(Output):
    name: str

@api.get("/v1/ping")
def ping() -> Pong:
    return Pong(name="pinger")

@api.post("/v1/ping")
def again() -> Pong:
    return Pong(name="pinger")

@pages.get("/stream")
def stream() -> Response:
    draining = current_parts(Resources).draining
    def written():
        while not draining():
            yield "still here\\n"
            time.sleep(0.1)
    return Response(written(), mimetype="text/plain")

PINGER = service("pinger", apis=[api], pages=[pages], parts=lambda resources: resources)
"""


class ReleaseFolder:
    """A downward API volume: the files lie in a folder of their own, and a symbolic link is replaced at once."""

    def __init__(self, path):
        self._path = path
        self._count = 0
        path.mkdir()
        self.write("")
        (path / "draining").symlink_to(Path("..data") / "draining")

    def write(self, value):
        self._count += 1
        data = self._path / f"..{self._count}"
        data.mkdir()
        (data / "draining").write_text(value)
        (self._path / "..data_tmp").symlink_to(data.name)
        (self._path / "..data_tmp").rename(self._path / "..data")

    @property
    def file(self):
        return self._path / "draining"


@dataclass
class Pinger:
    port: int
    admin_port: int
    release: ReleaseFolder
    child: Child

    def established(self):
        """The client's ports of connections that are open, as the operating system has them."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        mine = f"0100007F:{self.port:04X}"
        return {int(row[2].rpartition(":")[2], 16) for row in rows if row[1] == mine and row[3] == "01"}

    def ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@pytest.fixture(name="pinger")
def _pinger(tmp_path):
    (tmp_path / "pinger.py").write_text(PINGER)
    port, admin_port, release = free_port(), free_port(), ReleaseFolder(tmp_path / "release")
    environment = {"PATH": os.environ["PATH"], "HTTP_PORT": str(port), "ADMIN_PORT": str(admin_port)}
    environment |= {"CLOSING_FILE": str(release.file), "PYTHONPATH": str(tmp_path)}
    argv = [sys.executable, "-m", "slipway_chassis", "run", "pinger", "http"]
    child = Child("pinger", argv, tmp_path / "log", environment)
    pinger = Pinger(port, admin_port, release, child)
    child.start_and_wait(pinger.ready, 60)
    yield pinger
    child.stop()


class Pings(Load):
    """Clients that keep their connections and never try a request twice; ``connections``: what answers said of it."""

    def __init__(self, port, *, pauses):
        pings = [("GET", "/v1/ping", None), ("POST", "/v1/ping", {})]
        super().__init__(Anybody(f"http://127.0.0.1:{port}"), pings, pauses=pauses, pooled=True)
        self.connections = []

    def note(self, answer, body):
        self.connections.append(answer.getheader("Connection", ""))


def test_clients_under_load_are_let_go_and_taken_back_without_a_failed_request(pinger):
    with Pings(pinger.port, pauses=[0, 0, 0.05, 0.3, 0.5, 6]) as load:
        for _ in range(4):
            load.wait_for(100)
            before = eventually(lambda: len(kept := pinger.established()) >= 4 and kept, within=30)  # they keep them

            pinger.release.write("true")
            eventually(lambda before=before: not before & pinger.established(), within=10)
            assert pinger.ready()
            load.wait_for(50)
            closed = load.connections[-20:]

            pinger.release.write("")
            eventually(lambda: load.connections[-1] != "close", within=10)
            assert set(closed) == {"close"}

    assert not load.failures
    assert set(load.answers) == {200, 201}


def test_an_idle_connection_is_closed_and_one_that_never_asked_as_well(pinger):
    with (
        socket.create_connection(("127.0.0.1", pinger.port)) as silent,
        socket.create_connection(("127.0.0.1", pinger.port)) as idle,
    ):
        idle.sendall(b"GET /v1/ping HTTP/1.1\r\nHost: pinger\r\n\r\n")
        answer = http.client.HTTPResponse(idle)
        answer.begin()
        assert (answer.status, answer.read() != b"") == (200, True)
        assert len(pinger.established()) == 2

        pinger.release.write("true")

        silent.settimeout(20)  # for its first five seconds, gthread has a thread wait for the first request
        idle.settimeout(20)
        assert (idle.recv(1), silent.recv(1)) == (b"", b"")


def test_a_stream_comes_to_its_end(pinger):
    with urllib3.HTTPConnectionPool("127.0.0.1", pinger.port) as pool:
        stream = pool.request("GET", "/stream", preload_content=False, timeout=20)
        assert stream.read(11) == b"still here\n"

        pinger.release.write("true")

        while stream.read(1024):
            pass


@contextmanager
def gateway(folder, port):
    """The gateway, with the service as its one upstream."""
    listen = Listen(port=free_port(), tls_port=free_port(), metrics_port=free_port(), admin_port=free_port())
    settings = checked(
        {
            "listen": listen,
            "upstreams": {"pinger": {"address": "127.0.0.1", "port": port}},
            "routes": [{"prefix": "/v1/ping", "upstream": "pinger", "public": True}],
            "rateLimit": {"perClient": {"requests": 100_000, "seconds": 1}},
        }
    )
    config = folder / "envoy.json"
    write(settings, config)
    argv = [envoy_binary(), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    child = Child("gateway", argv, folder / "envoy.log", {"SERVICE_VERSION": "1"})

    def answers():
        try:
            with urllib3.HTTPConnectionPool("127.0.0.1", listen.port, retries=False) as pool:
                return pool.request("GET", "/v1/ping").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    child.start_and_wait(answers, 60)
    try:
        yield listen.port
    finally:
        child.stop()


def test_the_gateway_is_let_go_like_any_client_and_fails_no_request(pinger, tmp_path):
    with ExitStack() as stack:
        port = stack.enter_context(gateway(tmp_path, pinger.port))
        load = stack.enter_context(Pings(port, pauses=[0, 0, 0.3, 6]))
        for _ in range(4):
            load.wait_for(100)
            before = eventually(pinger.established, within=30)

            pinger.release.write("true")
            eventually(lambda before=before: not before & pinger.established(), within=10)
            load.wait_for(50)
            pinger.release.write("")

    assert not load.failures
    assert set(load.answers) == {200, 201}
