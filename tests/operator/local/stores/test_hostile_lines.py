"""Whatever a process logs, a real VictoriaLogs has each line, under the name of the file in which it stands."""

import json

import pytest

from slipway_chassis.embedded.processes import Child, free_port, port_open
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.stores import configuration
from slipway_operator.runtimes.local.stores.shipping import Shipping
from support.observed_shop import ask
from support.tools import tool

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(tool("victoria-logs") is None, reason="not built: ci/tools/install.sh victoria-logs"),
]


@pytest.fixture(name="port")
def _port(tmp_path):
    port = free_port()
    command = configuration.victoria_logs_command(str(tool("victoria-logs")), tmp_path / "stores", port)
    child = Child("victoria-logs", command, tmp_path / "victoria-logs.log")
    child.start_and_wait(lambda: port_open(port), 30)
    yield port
    child.stop()


def deep(levels):
    return '{"a": ' * levels + "1" + "}" * levels


LINES = [
    b"plain",
    b"\x00 and \xff are no text",
    "€".encode() * 64_000,
    "😀".encode() * 64_000,
    json.dumps({"message": "😀" * 60_000}, ensure_ascii=False).encode(),
    json.dumps({"message": "wide", **{f"field {n}": n for n in range(2_000)}}).encode(),
    json.dumps(
        {"message": "wide, with blanks", **{f"f{n}": n for n in range(1_500)}}, separators=(",", " : ")
    ).encode(),
    json.dumps({"message": "wide inside", "a": {"b": {f"field {n}": n for n in range(2_000)}}}).encode(),
    json.dumps({"message": "a long name", "n" * 5_000: 1}).encode(),
    json.dumps({"message": "no name", "": 1, "\x00": 2, "a\nb": 3}).encode(),
    json.dumps({"message": "half a character \ud800"}).encode(),
    json.dumps({"message": "old", "@timestamp": "1999-01-01T00:00:00Z"}).encode(),
    json.dumps({"message": "new", "@timestamp": "2999-01-01T00:00:00Z"}).encode(),
    json.dumps({"message": "hidden", "_time": "0001-01-01", "_stream": "{}", "_stream_id": "1", "_msg": ""}).encode(),
    json.dumps({"message": "another's", "source": "users-http", "log": {"source": "users-http"}}).encode(),
    b'{"message": "no number", "a": NaN}',
    deep(20).encode(),
    deep(100).encode(),
    deep(500).encode(),
    json.dumps({"message": "names of two bytes", "a": {"é" * 63: 1}}).encode(),
    json.dumps({"message": "names of two bytes", "a": {"é" * 64: 1}}).encode(),
    deep(30_000).encode(),
    b"[" * 60_000,
    b'{"message": {"message": "nested"}}',
]


def test_each_line_is_there_under_its_own_name(tmp_path, port, eventually):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "orders-http.log").write_bytes(b"\n".join(LINES) + b"\n")
    shipping = Shipping(Layout(tmp_path, gateway=1, base=1), port, tmp_path / "sent.json", pytest.fail)
    eventually(shipping.ship)

    def counted():
        answer = ask(port, "/select/logsql/query", {"query": "* | stats by (source) count() lines"})
        return [json.loads(line) for line in answer.splitlines()]

    eventually(lambda: counted() == [{"source": "orders-http", "lines": str(len(LINES))}], within=15)
