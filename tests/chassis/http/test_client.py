"""Calls to other services: bounded, guarded, with deadline, trace and request id passed on."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from slipway_chassis import deadline
from slipway_chassis.errors import CircuitOpen, DeadlineExceeded, UnusableAnswer, UpstreamUnavailable
from slipway_chassis.http.client import HttpClient
from slipway_chassis.resilience import Guard, Retry, RetryBudget, State
from slipway_chassis.telemetry.correlation import current_traceparent, request_id_of, span


class Upstream(ThreadingHTTPServer):
    """What it is to answer and what it was asked belong to one test: a late handler of another one changes nothing."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.statuses, self.asked, self.trickle = [], [], False


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        if self.path == "/slow":
            time.sleep(0.5)
        body = b"x" * 5000 if self.path == "/large" else json.dumps({"path": self.path}).encode()
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 409:
            self.send_header("Retry-After", "1")
        self.end_headers()
        if not self.server.trickle:
            self.wfile.write(body)
            return
        for number in range(len(body)):  # a byte now and then, each within the time limit of a piece
            self.wfile.write(body[number : number + 1])
            time.sleep(0.2)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(name="upstream")
def _upstream():
    server = Upstream()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(name="client")
def _client(upstream):
    budget = RetryBudget()
    for _ in range(100):
        budget.earn()
    guard = Guard("stock", retry=Retry("stock", budget=budget, base_seconds=0.001))
    return HttpClient("stock", f"http://127.0.0.1:{upstream.server_port}", guard=guard, largest_body=4096)


def test_trace_request_id_and_deadline_go_along(client, upstream):
    with request_id_of("mine"), span("x"), deadline.until(time.time() + 1):
        answer = client.get("/items")
        trace = current_traceparent()

    assert (answer.status, answer.json()) == (200, {"path": "/items"})
    headers = {name.lower(): value for name, value in upstream.asked[0][2].items()}
    assert headers["x-request-id"] == "mine"
    assert headers["traceparent"] == trace
    assert float(headers["x-request-deadline"]) <= time.time() + 1


def test_a_safe_call_is_tried_again(client, upstream):
    upstream.statuses = [503, 502]

    assert client.get("/items").status == 200
    assert len(upstream.asked) == 3


def test_a_post_is_tried_once_unless_it_carries_an_idempotency_key(client, upstream):
    upstream.statuses = [503]
    with pytest.raises(UpstreamUnavailable, match="stock answered 503"):
        client.post("/orders", {})
    assert len(upstream.asked) == 1

    upstream.statuses = [503]
    assert client.post("/orders", {}, headers={"Idempotency-Key": "k"}).status == 200


def test_an_error_status_is_an_answer(client, upstream):
    upstream.statuses = [404, 500]

    assert client.get("/items").status == 404
    assert client.get("/items").status == 500


def test_a_dead_upstream_opens_the_circuit(client, upstream):
    upstream.shutdown()
    upstream.server_close()
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            client.post("/orders", {})

    with pytest.raises(CircuitOpen):
        client.post("/orders", {})


def test_too_large_an_answer_is_refused_and_the_next_one_fits(client):
    with pytest.raises(UnusableAnswer, match="more than 4096 bytes"):
        client.post("/large", {})

    assert client.get("/items").status == 200


def test_the_callers_deadline_bounds_the_call(client, upstream):
    with deadline.until(time.time() + 0.1), pytest.raises((UpstreamUnavailable, DeadlineExceeded)):
        client.get("/slow")
    with deadline.until(time.time() - 1), pytest.raises(DeadlineExceeded):
        client.get("/items")
    assert [path for _, path, _ in upstream.asked].count("/items") == 0


def test_impatient_callers_do_not_open_the_circuit_for_others(client):
    for _ in range(5):
        with deadline.until(time.time() + 0.05), pytest.raises(DeadlineExceeded):
            client.get("/slow")

    assert client.guard.breaker.state is State.CLOSED
    assert client.get("/items").status == 200


def test_an_upstream_that_hangs_opens_the_circuit_whoever_s_time_ends_first(upstream):
    hung = HttpClient("hung", f"http://127.0.0.1:{upstream.server_port}", timeout=0.4)
    for _ in range(3):
        with deadline.until(time.time() + 0.3), pytest.raises(DeadlineExceeded):
            hung.post("/slow", {})

    with pytest.raises(CircuitOpen):
        hung.post("/slow", {})


def waiting(upstream):
    pauses = []
    client = HttpClient("patient", f"http://127.0.0.1:{upstream.server_port}", sleep=pauses.append)
    return client, pauses


def test_a_first_try_that_is_being_worked_on_is_waited_for(upstream):
    client, pauses = waiting(upstream)
    upstream.statuses = [409, 409, 201]

    assert client.post("/items", {}, headers={"Idempotency-Key": "k"}).status == 201
    assert pauses == [1.0, 1.0]


def test_a_first_try_that_does_not_end_leaves_the_effect_unknown(upstream):
    client, pauses = waiting(upstream)
    upstream.statuses = [409] * 100

    with pytest.raises(UpstreamUnavailable, match="whether it took effect is not known"):
        client.post("/items", {}, headers={"Idempotency-Key": "k"})
    waited = len(pauses)
    with deadline.until(time.time() + 0.9), pytest.raises(UpstreamUnavailable, match="not known"):
        client.post("/items", {}, headers={"Idempotency-Key": "k"})
    assert len(pauses) == waited, "no longer than the caller waits"
    assert client.guard.breaker.state is State.CLOSED


def test_a_conflict_without_a_key_is_an_answer(upstream):
    client, pauses = waiting(upstream)
    upstream.statuses = [409]

    assert client.post("/items", {}).status == 409
    assert pauses == []


def test_an_answer_that_trickles_in_is_given_up_in_time(upstream):
    upstream.trickle = True
    try:
        client = HttpClient("trickle", f"http://127.0.0.1:{upstream.server_port}", timeout=0.5)
        with pytest.raises(UpstreamUnavailable):
            client.post("/items", {})
    finally:
        upstream.trickle = False
