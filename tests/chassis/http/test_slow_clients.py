"""Slow clients take no threads for long: a request has a time for all of it, and silence costs none.

A real process of a service, as `slipway run` starts it, with two threads.
"""

import http.client
import socket
import threading
from contextlib import ExitStack

import pytest

from slipway_chassis.testing.plugin import eventually
from support.echo import running

pytestmark = pytest.mark.integration
HEADERS = b"POST /v1/echo HTTP/1.1\r\nHost: echo\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module", name="echo")
def _echo(tmp_path_factory):
    with running(tmp_path_factory.mktemp("echo")) as port:
        yield port


def ask(port, body=b'{"name": "ada"}'):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/v1/echo", body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def dripping(stack, port, start):
    """Sends a byte now and then, until the other side has enough; returns what tells that."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
    connection.sendall(start)
    done, stop = threading.Event(), threading.Event()

    def drip():
        try:
            while not stop.wait(0.2):
                connection.sendall(b" ")
        except OSError:
            done.set()

    threading.Thread(target=drip, daemon=True).start()
    stack.callback(stop.set)
    return done


@pytest.mark.parametrize(
    "start", [HEADERS + b"Content-Length: 100000\r\n\r\n{", HEADERS + b"X-Long: "], ids=["body", "headers"]
)
def test_a_request_that_drips_in_is_given_up(echo, start):
    with ExitStack() as stack:
        slow = [dripping(stack, echo, start) for _ in range(4)]

        assert eventually(lambda: ask(echo) == 201, within=30)
        assert eventually(lambda: all(one.is_set() for one in slow), within=30)


def test_who_is_refused_and_stays_holds_nobody_up(echo):
    """The loop that accepts all would wait two seconds for each of them to say goodbye."""
    with ExitStack() as stack:
        for _ in range(300):  # more than are waited for
            rude = stack.enter_context(socket.create_connection(("127.0.0.1", echo), timeout=10))
            rude.sendall(b"no request at all\r\n\r\n")
        assert [ask(echo) for _ in range(3)] == [201] * 3


def test_connections_that_say_nothing_take_no_thread(echo):
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(socket.create_connection(("127.0.0.1", echo), timeout=30))

        assert [ask(echo) for _ in range(5)] == [201] * 5


def test_a_kept_connection_has_the_time_again_for_each_request(echo):
    connection = http.client.HTTPConnection("127.0.0.1", echo, timeout=30)
    pauses = threading.Event()
    try:
        for _ in range(3):
            connection.request("POST", "/v1/echo", b'{"name": "ada"}', {"Content-Type": "application/json"})
            assert connection.getresponse().read()
            pauses.wait(1)
    finally:
        connection.close()
