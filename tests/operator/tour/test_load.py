"""Customers against a server that fails as it is told."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from slipway_operator.tour.lesson import CANCEL, ORDER, Load
from slipway_operator.tour.load import Customers

SOON = {"customers": 1, "seconds": 1, "pause_seconds": 0.1}


class Orders(ThreadingHTTPServer):
    """``failures``: how many requests are answered by 503 before the first good answer."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.failures = 0
        self.asked = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.path, self.headers.get("Idempotency-Key")))
        fails = self.server.failures > 0
        self.server.failures -= 1
        places = self.path == "/v1/orders"
        body = json.dumps({"id": f"order-{len(self.server.asked)}"}).encode()
        self.send_response(503 if fails else 201 if places else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture(name="server")
def _server():
    with Orders() as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield server
        server.shutdown()


def came(server, **wanted):
    customers = Customers(Load(**SOON | wanted), server.server_port, token="", user="", order={"item": "tea"})
    customers.begin()
    customers.let_go()
    return customers.wait()


def test_who_got_no_good_answer_asks_again_with_the_same_key(server):
    server.failures = 2

    outcomes = came(server, requests=[ORDER], retries=3)

    first = outcomes[0].key
    assert [each.status for each in outcomes[:3]] == [503, 503, 201]
    assert [each.key for each in outcomes].count(first) == 3
    assert Counter(key for _, key in server.asked)[first] == 3
    assert all(each.key not in ("", first) for each in outcomes[3:])


def test_without_retries_no_key_is_sent_and_each_request_is_made_once(server):
    server.failures = 1

    outcomes = came(server, requests=[ORDER])

    assert outcomes[0].status == 503
    assert {key for _, key in server.asked} == {None}


def test_the_order_before_is_cancelled_and_where_there_is_none_nothing(server):
    server.failures = 1

    outcomes = came(server, requests=[ORDER, CANCEL])

    placed = [each.order for each in outcomes if each.request == ORDER and each.good]
    cancelled = [path for path, _ in server.asked if path != "/v1/orders"]
    assert outcomes[1].request == ORDER
    assert cancelled == [f"/v1/orders/{order}/cancel" for order in placed[: len(cancelled)]]
    assert cancelled


def test_an_order_is_looked_at_until_it_is_cancelled(server):
    came(server, requests=[ORDER, "GET /v1/orders/${order}", CANCEL, "GET /v1/orders/${order}"])

    first = [path for path, _ in server.asked[:4]]
    assert first == ["/v1/orders", "/v1/orders/order-1", "/v1/orders/order-1/cancel", "/v1/orders"]


def test_customers_stay_until_what_they_are_to_see_is_over(server):
    customers = Customers(Load(**SOON, requests=[ORDER]), server.server_port, token="", user="", order={})
    customers.begin()
    over = threading.Event()
    threading.Timer(2, over.set).start()
    assert over.wait(30)
    seen = len(server.asked)
    threading.Timer(0.5, customers.let_go).start()
    customers.wait()

    assert len(server.asked) > seen
