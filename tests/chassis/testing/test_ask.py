"""What `helm test` runs: it waits for a Service that does not answer yet, and says what was answered instead."""

import http.server
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from slipway_chassis.testing.ask import main

pytestmark = pytest.mark.timeout(60)


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404 if self.path == "/nowhere" else 200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(name="port")
def _port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(name="later")
def _later(port):
    """The server begins to listen a moment after it was asked."""
    made = []

    def serve():
        time.sleep(0.7)
        made.append(http.server.HTTPServer(("127.0.0.1", port), Answers))
        made[0].serve_forever(poll_interval=0.05)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    made[0].shutdown()
    thread.join()
    made[0].server_close()


def test_a_service_that_answers_later_is_waited_for(later, capsys):
    assert main([later, "GET / 200", "GET /nowhere 404"]) == 0
    assert capsys.readouterr().out.count("ok ") == 2


def test_another_answer_is_wrong(later, capsys):
    assert main([later, "GET / 200", "GET /nowhere 200"]) == 1
    assert "WRONG  GET /nowhere → 404, expected 200" in capsys.readouterr().out


def test_no_answer_is_told_with_its_reason(port, capsys):
    assert main([f"http://127.0.0.1:{port}", "GET / 200"], timeout=0.1) == 1
    said = capsys.readouterr().out
    assert "WRONG  GET / → no answer in" in said
    assert "refused" in said


@pytest.fixture(name="calls")
def _calls():
    """A gRPC server that serves, and whose service inventory does not."""
    server = grpc.server(ThreadPoolExecutor(2))
    told = health.HealthServicer()
    told.set("inventory", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(told, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"grpc://127.0.0.1:{port}"
    server.stop(None)


def test_a_grpc_service_is_asked_for_its_health(calls, capsys):
    assert main([calls, "HEALTH / SERVING", "HEALTH /inventory NOT_SERVING"]) == 0
    assert capsys.readouterr().out.count("ok ") == 2

    assert main([calls, "HEALTH /inventory SERVING", "HEALTH /unknown SERVING"], timeout=0.1) == 1
    said = capsys.readouterr().out
    assert "WRONG  HEALTH /inventory → NOT_SERVING, expected SERVING" in said
    assert "unknown service" in said.lower() or "NOT_FOUND" in said
