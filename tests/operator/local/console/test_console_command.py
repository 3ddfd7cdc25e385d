"""`slipway console` as it is typed, and the console of a run: its port, its files, its end."""

import http.client
import json
import socket
from contextlib import closing
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from slipway_chassis.cli import cli
from slipway_chassis.embedded.processes import free_port
from slipway_operator.console.server import TOKEN_HEADER
from slipway_operator.errors import LocalRuntimeError
from slipway_operator.runtimes.local.console import serving
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.system import read

PROJECT = '[tool.slipway.services.hello]\ncommand = ["gunicorn", "app:app"]\n'
NOTHING_RUNS = SimpleNamespace(infrastructure=[], reconcilers={})


@pytest.fixture(name="layout")
def _layout(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    layout = Layout(tmp_path / ".slipway", gateway=0, base=free_port() - 6)
    layout.data.mkdir()
    with layout.locked():
        yield layout


@pytest.fixture(name="console")
def _console(layout):
    console = serving.started(layout, read(layout.data.parent), NOTHING_RUNS, serving.happenings())
    yield console
    serving.ended(console, layout)


def slipway(*words, code=0):
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output or str(done.exception)


def test_it_prints_the_address_and_the_token_of_what_runs(console):
    said = slipway("console")
    assert f"http://127.0.0.1:{console.port}/" in said
    assert console.token in said


def test_a_browser_is_opened_without_the_token(console, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    slipway("console", "--open")
    assert opened == [f"http://127.0.0.1:{console.port}/"]
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    assert "open the address yourself" in slipway("console", "--open", code=1)


@pytest.mark.usefixtures("layout")
def test_where_there_is_none_it_says_so():
    assert "--no-console" in slipway("console", code=1)


def test_where_nothing_runs_it_says_so(tmp_path):
    assert "nothing runs here" in slipway("console", "--data", str(tmp_path), code=1)


def test_a_taken_port_is_left_alone_and_another_one_is_told(layout):
    with closing(socket.create_server(("127.0.0.1", layout.console))):
        console = serving.started(layout, read(layout.data.parent), NOTHING_RUNS, serving.happenings())
        assert console.port != layout.console
        assert serving.address_on(layout) == f"http://127.0.0.1:{console.port}/"
    serving.ended(console, layout)
    assert not (layout.data / "console.json").exists()


def test_where_no_port_is_free_it_goes_without(layout, monkeypatch):
    def refused(*_, **__):
        raise OSError("no port")

    monkeypatch.setattr(serving, "Console", refused)
    with pytest.raises(LocalRuntimeError, match="--no-console"):
        serving.started(layout, read(layout.data.parent), NOTHING_RUNS, serving.happenings())


def test_an_action_on_a_service_that_is_not_there_is_a_sentence_and_a_line_of_the_log(console, layout):
    answer = _ask(console, {"action": "promote", "service": "nobody"})
    assert answer == (409, {"error": "there is no service nobody, only: hello"})
    answer = _ask(console, {"action": "promote", "service": "hello"})
    assert answer == (409, {"error": "hello does not wait for a promotion: Pending"})
    answer = _ask(console, {"action": "rollback", "service": "hello"})
    assert answer == (409, {"error": "hello has no former version that could come back"})
    lines = [json.loads(line) for line in (layout.logs / "console.log").read_text().splitlines()]
    assert [(one["event.action"], one["event.outcome"]) for one in lines] == [
        ("promote", "failure"), ("promote", "failure"), ("rollback", "failure"),
    ]  # fmt: skip
    assert "nobody" in slipway("logs", "console")


def _ask(console, body):
    connection = http.client.HTTPConnection("127.0.0.1", console.port, timeout=10)
    connection.request("POST", "/api/actions", json.dumps(body), {TOKEN_HEADER: console.token})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())
