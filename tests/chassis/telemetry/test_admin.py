import json
import socket
import urllib.error
import urllib.request
from contextlib import ExitStack

from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.telemetry import admin
from slipway_chassis.telemetry.admin import serve_admin
from slipway_chassis.telemetry.health import Health


def _get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_admin_port_tells_health_and_metrics():
    def away():
        raise BrokerUnavailable("Kafka: connection refused")

    port = serve_admin("127.0.0.1", 0, Health({"kafka": away}))

    assert _get(port, "/healthz")[0] == 200
    status, body = _get(port, "/readyz")
    assert (status, json.loads(body)["checks"]["kafka"]["ok"]) == (503, False)
    assert "python_info" in _get(port, "/metrics")[1]
    assert _get(port, "/other")[0] == 404


def begun(stack, port):
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
    connection.sendall(b"GET /me")
    return connection


def test_connections_that_never_ask_are_bounded_and_stop_no_probe():
    port = serve_admin("127.0.0.1", 0, Health())
    with ExitStack() as stack:
        slow = [begun(stack, port) for _ in range(2 * admin.MOST_CONNECTIONS)]

        assert _get(port, "/readyz")[0] == 200
        assert slow[0].recv(100) == b"", "the oldest had to go"


def test_a_connection_that_never_asks_ends(monkeypatch):
    monkeypatch.setattr(admin, "REQUEST_SECONDS", 0.1)
    port = serve_admin("127.0.0.1", 0, Health())
    with ExitStack() as stack:
        assert begun(stack, port).recv(100) == b""
