"""Log lines reach the store in their order, once it takes them, and nobody else waits for it."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from slipway_chassis.testing.plugin import eventually
from slipway_operator.runtimes.local import log_files
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.log_lines import lines_of
from slipway_operator.runtimes.local.stores import shipping
from slipway_operator.runtimes.local.stores.shipping import Shipping, record_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Store(ThreadingHTTPServer):
    """Answers with ``status``; what it took with 200 is in ``records``."""

    def __init__(self):
        self.status, self.records, self.asked = 200, [], 0
        self.gate = threading.Event()  # answers wait for it
        self.gate.set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def messages(self):
        return [record["_msg"] for record in self.records]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked += 1
        self.server.gate.wait(10)
        if self.server.status == 200:
            self.server.records += [json.loads(line) for line in body.splitlines()]
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(name="store")
def _store():
    server = Store()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(name="told")
def _told():
    return []


@pytest.fixture(name="shipping")
def _shipping(tmp_path, store, told, monkeypatch):
    monkeypatch.setattr(shipping, "PAUSES", (0.0,))
    (tmp_path / "logs").mkdir()

    def begun():
        return Shipping(Layout(tmp_path, gateway=1, base=1), store.server_port, tmp_path / "sent.json", told.append)

    return begun


def says(tmp_path, *words, name="orders-http"):
    with (tmp_path / "logs" / f"{name}.log").open("a") as log:
        log.writelines(f"{json.dumps({'message': word, 'service.name': 'orders'})}\n" for word in words)


def test_lines_arrive_in_their_order_and_once(tmp_path, store, shipping):
    says(tmp_path, "one", "two")
    first = shipping()
    assert first.ship()
    says(tmp_path, "three")
    assert first.ship()
    assert first.ship()
    says(tmp_path, "four")
    assert shipping().ship(), "another run goes on where this one was"

    assert store.messages == ["one", "two", "three", "four"]
    assert {record["source"] for record in store.records} == {"orders-http"}


def test_half_a_line_waits_for_its_other_half_also_over_a_restart(tmp_path, store, shipping):
    log = tmp_path / "logs" / "orders-http.log"
    log.write_text('{"message": "wh')
    assert shipping().ship()
    with log.open("a") as file:
        file.write('ole"}\n')
    assert shipping().ship()

    assert store.messages == ["whole"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_store_that_takes_nothing_gets_all_of_it_later(tmp_path, store, shipping, told, status):
    store.status = status
    one = shipping()
    says(tmp_path, "one")
    assert not one.ship()
    says(tmp_path, "two")
    assert not one.ship()
    store.status = 200
    assert one.ship()

    assert store.messages == ["one", "two"]
    assert told == []


def test_a_store_that_is_not_there_is_asked_at_longer_and_longer_intervals(tmp_path, store, shipping, monkeypatch):
    monkeypatch.setattr("slipway_operator.runtimes.local.stores.shipping.PAUSES", (3600.0,))
    store.status = 503
    one = shipping()
    says(tmp_path, "one")
    says(tmp_path, "one", name="users-http")
    assert not one.ship()
    assert not one.ship()

    assert store.asked == 1


def test_a_store_that_hangs_is_not_waited_for(tmp_path, store, shipping, monkeypatch):
    monkeypatch.setattr("slipway_operator.runtimes.local.stores.shipping.ROUND_SECONDS", 0.1)
    store.gate.clear()
    one = shipping()
    says(tmp_path, "one")
    says(tmp_path, "two", name="users-http")
    assert not one.ship()
    store.gate.set()
    monkeypatch.setattr("slipway_operator.runtimes.local.stores.shipping.ROUND_SECONDS", 5.0)
    eventually(one.ship)

    assert {"one", "two"} == set(store.messages)


def test_what_is_refused_holds_nothing_up(tmp_path, store, shipping, told):
    one = shipping()
    store.status = 400
    says(tmp_path, "one")
    assert one.ship()
    store.status = 200
    says(tmp_path, "two")
    assert one.ship()

    assert store.messages == ["two"]
    assert told == ["VictoriaLogs refuses lines of orders-http with 400; they stay in the file alone"]


def test_of_a_long_log_its_end_is_sent_and_what_is_left_out_is_told(tmp_path, store, shipping, told, monkeypatch):
    monkeypatch.setattr(log_files, "LONGEST_READ", 4_000)
    one = shipping()
    says(tmp_path, "first")
    assert one.ship()
    store.status = 503
    says(tmp_path, *(f"line {number}" for number in range(1_000)))
    assert not one.ship()
    store.status = 200
    assert one.ship()

    assert store.messages[-1] == "line 999"
    assert 50 < len(store.messages) < 200
    assert len(told) == 1
    assert "orders-http.log were not sent: too much had waited" in told[0]


def test_an_emptied_log_is_read_from_its_beginning(tmp_path, store, shipping):
    one = shipping()
    says(tmp_path, "one", "two")
    assert one.ship()
    (tmp_path / "logs" / "orders-http.log").write_text("")
    says(tmp_path, "new")
    assert one.ship()

    assert store.messages == ["one", "two", "new"]


def test_places_that_cannot_be_read_are_begun_again(tmp_path, store, shipping):
    (tmp_path / "sent.json").write_text("[1")
    says(tmp_path, "one")
    assert shipping().ship()

    assert store.messages == ["one"]


def record(text):
    [line] = lines_of("orders-http", [text])
    return json.loads(record_of(line, NOW))


def test_a_line_cannot_be_put_into_the_log_of_another():
    hostile = {"_stream": '{source="users-http"}', "_time": "2001-01-01", "_msg": "x", "source": "users-http"}
    found = record(json.dumps(hostile | {"message": "hello"}))

    assert found == {"_time": NOW.isoformat(), "_msg": "hello", "source": "orders-http"}
    assert record('{"message": "hello", "source": {"": "users-http"}}')["source"] == "orders-http"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (NOW - timedelta(minutes=5), True),
        (NOW - timedelta(days=30), False),  # the store would not take it
        (NOW + timedelta(days=30), False),
    ],
)
def test_a_time_that_would_hide_a_line_is_that_of_now(said, kept):
    found = record(json.dumps({"@timestamp": said.isoformat(), "message": "hello"}))

    assert found["_time"] == (said if kept else NOW).isoformat()
    assert found["@timestamp"] == said.isoformat()


@pytest.mark.parametrize("text", ["plain", '{"message": 7}', '{"a": NaN}', "[1, 2]", "{", '{"message": ""}'])
def test_any_line_is_a_line(text):
    assert record(text)["_msg"] == text
