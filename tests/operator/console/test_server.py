"""The console's address, asked over real connections: what it gives, to whom, and where it says no."""

import http.client
import json
import socket
import threading
import time
from dataclasses import replace

import pytest

from slipway_operator.console.board import Source
from slipway_operator.console.place import Place
from slipway_operator.console.server import LARGEST_ACTION, MOST_STREAMS, TOKEN_HEADER, Console
from slipway_operator.errors import LocalRuntimeError

HOSTILE = "<img src=x onerror=alert(1)>"
TOKEN = "0123456789abcdef"  # noqa: S105 # of this test
SECONDS = 10


class World:
    def __init__(self):
        self.value, self.done, self.audited = [HOSTILE], [], []

    def place(self):
        def act(words):
            if words.get("service") == "nobody":
                raise LocalRuntimeError("there is no service nobody")
            if words.get("service") == "full":
                raise OSError(28, "No space left on device")
            self.done.append(dict(words))
            return "it is promoted"

        return Place(
            "here",
            sources=[Source("told", lambda: list(self.value))],
            questions={"logs": lambda words: {"lines": [words.get("about", "")]}, "broken": self._broken},
            actions={"promote": act},
            audit=self.audited.append,
        )

    def _broken(self, words):
        raise ZeroDivisionError


@pytest.fixture(name="world")
def _world():
    return World()


@pytest.fixture(name="console")
def _console(world):
    console = Console(world.place(), port=0, token=TOKEN)
    console.start()
    yield console
    console.close()


def ask(console, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", console.port, timeout=SECONDS)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        text = answer.read()
        return answer, text
    finally:
        connection.close()


def act(console, body, token=TOKEN, **headers):
    answer, text = ask(console, "POST", "/api/actions", body, **({TOKEN_HEADER: token} if token else {}), **headers)
    return answer.status, json.loads(text)


# --- reading
@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/html"), ("/console.js", "text/javascript"), ("/words.json", "app")]
)
def test_the_page_comes_with_a_strict_policy(console, path, kind):
    answer, text = ask(console, "GET", path)
    assert (answer.status, answer.getheader("Content-Type")[: len(kind)]) == (200, kind)
    assert "default-src 'none'" in answer.getheader("Content-Security-Policy")
    assert "unsafe" not in answer.getheader("Content-Security-Policy")
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert text


def test_the_state_is_json_with_hostile_text_as_text(console):
    answer, text = ask(console, "GET", "/api/state")
    assert answer.getheader("Content-Type") == "application/json"
    assert json.loads(text)["parts"]["told"]["value"] == [HOSTILE]


@pytest.mark.parametrize("path", ["/nothing", "/page/index.html", "/../server.py", "/api/", "/api/promote"])
def test_other_paths_are_not_there(console, path):
    answer, text = ask(console, "GET", path)
    assert answer.status == 404
    assert "error" in json.loads(text)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1:1"])
def test_another_host_gets_nothing_not_even_the_page(console, host):
    for path in ("/", "/api/state"):
        answer, text = ask(console, "GET", path, Host=host)
        assert answer.status == 403
        assert f"http://127.0.0.1:{console.port} alone" in json.loads(text)["error"]


def test_a_page_of_another_origin_gets_no_facts(console):
    assert ask(console, "GET", "/api/state", Origin="http://evil.example")[0].status == 403
    assert ask(console, "GET", "/api/events", Sec_Fetch_Site="cross-site")[0].status == 403
    assert ask(console, "GET", "/", Sec_Fetch_Site="cross-site")[0].status == 200  # a link to it


def test_questions_get_their_words_cut(console):
    assert json.loads(ask(console, "GET", "/api/logs?about=0198c0de")[1]) == {"lines": ["0198c0de"]}
    assert len(json.loads(ask(console, "GET", f"/api/logs?about={'a' * 900}")[1])["lines"][0]) == 300
    assert ask(console, "GET", f"/api/logs?about={'a' * 3000}")[0].status == 414
    assert ask(console, "GET", f"/api/logs?{'&'.join(f'a{n}=1' for n in range(20))}")[0].status == 400


def test_what_breaks_inside_is_said_without_a_traceback(console):
    answer, text = ask(console, "GET", "/api/broken")
    assert answer.status == 500
    assert "Zero" not in text.decode()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(console, method):
    assert ask(console, method, "/api/actions")[0].status == 501


# --- doing
def test_an_action_needs_the_token_and_is_audited(console, world):
    for wrong in ("", "0123456789abcdee", TOKEN[:-1]):
        status, answer = act(console, b'{"action": "promote", "service": "orders"}', wrong)
        assert status == 401
        assert "slipway console prints it" in answer["error"]
    assert not world.done
    assert [one["outcome"] for one in world.audited] == ["refused"] * 3

    assert act(console, b'{"action": "promote", "service": "orders"}') == (200, {"said": "it is promoted"})
    assert world.done == [{"action": "promote", "service": "orders"}]
    assert world.audited[-1] == {
        "who": "127.0.0.1",
        "words": {"action": "promote", "service": "orders"},
        "outcome": "done",
        "said": "it is promoted",
    }


def test_an_action_that_can_not_be_done_says_why_and_is_audited(console, world):
    assert act(console, b'{"action": "promote", "service": "nobody"}') == (409, {"error": "there is no service nobody"})
    assert world.audited[-1]["outcome"] == "failed"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"action": 1}', b'{"action": "purge"}', b"[" * 3000, b"\xff"])
def test_bodies_that_say_nothing_are_refused(console, world, body):
    assert act(console, body)[0] == 400
    assert not world.done


def test_a_page_of_another_origin_can_do_nothing_even_with_the_token(console, world):
    assert act(console, b'{"action": "promote"}', Origin="http://evil.example")[0] == 403
    assert act(console, b'{"action": "promote"}', Host="evil.example")[0] == 403
    assert not world.done


def test_bodies_are_bounded(console):
    assert ask(console, "POST", "/api/actions", b"x" * (LARGEST_ACTION + 1))[0].status == 413
    assert ask(console, "POST", "/api/actions", Content_Length="9" * 400)[0].status == 413
    assert ask(console, "POST", "/api/actions", iter([b"x"]), Transfer_Encoding="chunked")[0].status == 411


# --- the stream
class Stream:
    """A reader of server-sent events."""

    def __init__(self, console, **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", console.port, timeout=SECONDS)
        self.connection.request("GET", "/api/events", headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.answer = self.connection.getresponse()

    def next(self):
        """Name, id and data of the next event."""
        found = {}
        while (line := self.answer.readline().decode()) != "\n":
            assert line, "the stream ended"
            name, _, value = line.rstrip("\n").partition(": ")
            found[name] = value
        return found["event"], found["id"], json.loads(found["data"])

    def close(self):
        self.answer.close()
        self.connection.close()


@pytest.fixture(name="stream_of")
def _stream_of(console):
    opened = []

    def stream_of(**headers):
        opened.append(Stream(console, **headers))
        return opened[-1]

    yield stream_of
    for stream in opened:
        stream.close()


def test_a_stream_begins_with_everything_and_goes_on_with_what_changed(stream_of, world):
    stream = stream_of()
    assert stream.answer.getheader("Content-Type") == "text/event-stream"
    assert stream.next()[2]["place"] == "here"
    name, _, parts = stream.next()
    assert (name, parts["told"]["value"]) == ("parts", [HOSTILE])

    world.value = ["something else"]
    assert stream.next()[2]["told"]["value"] == ["something else"]


def test_a_stream_goes_on_where_it_was_and_begins_anew_after_a_restart(stream_of, world, console):
    first = stream_of()
    first.next()
    _, number, _ = first.next()

    again = stream_of(Last_Event_ID=number)
    again.next()
    world.value = ["new"]
    assert again.next()[2]["told"]["value"] == ["new"]  # what was known is not said again
    for strange in ("another-7", f"{console.epoch}-x", f"{console.epoch}-{'9' * 300}", "-"):
        stream = stream_of(Last_Event_ID=strange)
        stream.next()
        assert stream.next()[2]["told"]["value"] == ["new"]


def test_streams_are_bounded_and_a_place_is_free_again(stream_of, console):
    streams = [stream_of() for _ in range(MOST_STREAMS)]
    refused = stream_of()
    assert refused.answer.status == 503
    assert "close one" in json.loads(refused.answer.read())["error"]

    for stream in streams:
        stream.close()
    ends = time.monotonic() + 60
    while console.board.watchers:  # each is noticed by the next line that is written to it
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert stream_of().next()[0] == "about"


def test_who_sends_nothing_keeps_nobody_out(console):
    silent = [socket.create_connection(("127.0.0.1", console.port)) for _ in range(80)]
    try:
        assert ask(console, "GET", "/")[0].status == 200
    finally:
        for one in silent:
            one.close()


def test_the_end_takes_streams_and_threads_with_it(world):
    console = Console(world.place(), port=0, token=TOKEN)
    console.start()
    stream = Stream(console)
    stream.next()
    console.close()
    stream.close()
    ends = time.monotonic() + SECONDS
    while any(thread.name.startswith("console") for thread in threading.enumerate()):
        assert time.monotonic() < ends, threading.enumerate()
        time.sleep(0.05)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", console.port), timeout=1)


def test_a_taken_port_is_an_error_of_the_system(console, world):
    with pytest.raises(OSError, match="in use"):
        Console(world.place(), port=console.port, token=TOKEN)


# --- what goes wrong
def test_an_action_that_breaks_is_in_the_audit(console, world):
    assert act(console, '{"action": "promote", "service": "full"}')[0] == 500
    assert [(each["outcome"], each["said"]) for each in world.audited] == [("failed", "OSError")]


def test_an_action_that_was_done_is_not_called_failed_for_its_note(console, world):
    """A full disk, say: whoever asked must know that it was done."""

    def full(_action):
        raise OSError(28, "No space left on device")

    console.place = replace(console.place, audit=full)
    status, said = act(console, '{"action": "promote", "service": "orders"}')
    assert (status, len(world.done)) == (200, 1)
    assert said["said"] == "it is promoted (it could not be noted: No space left on device)"


@pytest.mark.parametrize("header", ["origin", "ORIGIN", "Origin"])
def test_an_origin_is_one_however_it_is_spelled(console, header):
    assert ask(console, "GET", "/api/state", **{header: "http://evil.example"})[0].status == 403


@pytest.mark.parametrize(
    "request_", ["GET http://[ HTTP/1.1", "GET //[x HTTP/1.1", "POST /api/actions HTTP/1.1\r\nContent-Length: \xb2"]
)
def test_what_is_no_request_is_refused_and_no_traceback(console, request_, caplog):
    head = f"{request_}\r\nHost: 127.0.0.1:{console.port}\r\n{TOKEN_HEADER}: {TOKEN}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", console.port), timeout=SECONDS) as connection:
        connection.sendall(head.encode("latin-1"))
        status = int(connection.recv(4096).split()[1])
    assert 400 <= status < 500
    assert "Traceback" not in caplog.text
