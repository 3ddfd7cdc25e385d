"""``slipway logs`` and ``slipway levels`` as they are typed."""

import json

import pytest
from click.testing import CliRunner

from slipway_chassis.cli import cli
from slipway_operator.runtimes.local.layout import Layout

PROJECT = '[tool.slipway.services.hello]\ncommand = ["gunicorn", "app:app"]\n'
LINE = {"@timestamp": "2026-01-31T12:00:00+00:00", "service.name": "hello", "log.level": "error", "message": "no room"}


@pytest.fixture(name="layout")
def _layout(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    layout = Layout(tmp_path / ".slipway", gateway=0, base=0)
    layout.logs.mkdir(parents=True)
    (layout.logs / "hello-http.log").write_text(f"{json.dumps(LINE)}\nTraceback of it\n")
    return layout


def slipway(*words, code=0, text=None):
    done = CliRunner().invoke(cli, words, input=text)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output or str(done.exception)


@pytest.mark.usefixtures("layout")
def test_logs_are_shown_also_when_nothing_runs():
    assert "hello" in slipway("logs", "--level", "error")
    assert "Traceback" not in slipway("logs", "--level", "error")
    assert "Traceback of it" in slipway("logs", "hello")
    assert [json.loads(line)["message"] for line in slipway("logs", "-o", "json").splitlines()] == [
        "no room", "Traceback of it",
    ]  # fmt: skip
    assert slipway("logs", "nobody") == "None"
    assert "4 characters or more" in slipway("logs", "--about", "abc", code=2)


def test_lines_of_elsewhere_are_read_from_standard_input():
    lines = "\n".join(json.dumps(LINE | {"trace.id": trace, "message": trace}) for trace in ("t-1", "t-2", "t-1"))
    assert slipway("logs", "-", "--about", '"t-1"', text=lines).count("t-1  trace=t-1") == 2


def test_a_folder_without_logs_is_named(tmp_path):
    assert f"there are no logs in {tmp_path}" in slipway("logs", "--data", str(tmp_path), code=1)


def test_levels_are_written_for_what_runs_and_checked_before(layout):
    assert "nothing runs here" in slipway("levels", "hello", "LOG_LEVEL=DEBUG", code=1)
    with layout.locked():
        assert "LOG_LEVEL=DEBUG" in slipway("levels", "hello", "LOG_LEVEL=DEBUG")
        assert layout.levels("hello").read_text() == "LOG_LEVEL=DEBUG"
        assert "LOG_LEVEL is wrong" in slipway("levels", "hello", "LOG_LEVEL=LOUD", code=1)
        assert "nobody" in slipway("levels", "nobody", "LOG_LEVEL=DEBUG", code=1)
        assert "NAME=VALUE" in slipway("levels", "hello", code=2)
        assert layout.levels("hello").read_text() == "LOG_LEVEL=DEBUG"
        assert "as they began" in slipway("levels", "hello", "--reset")
        assert layout.levels("hello").read_text() == ""
