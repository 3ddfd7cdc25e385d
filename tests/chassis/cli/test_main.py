"""The command line: help with examples, exit codes that mean something, JSON for programs."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from slipway_chassis.cli import cli, main
from slipway_chassis.cli.run import find_service
from slipway_chassis.errors import ConfigurationError
from support.repository import ROOT

COMMANDS = ["completion", "contracts", "dlq", "doctor", "new", "run", "up"]


def slipway(*arguments, **environment):
    return CliRunner(env=environment).invoke(cli, arguments)


def test_help_lists_every_command_and_the_exit_codes():
    shown = slipway("--help").output

    for command in COMMANDS:
        assert f"  {command} " in shown
    assert "3 a dependency is unavailable" in " ".join(shown.split())


@pytest.mark.parametrize("command", ["run", "dlq", "contracts export", "doctor", "new service", "completion", "up"])
def test_help_shows_an_example(command):
    assert f"slipway {command}" in slipway(*command.split(), "--help").output.partition("Example")[2]


class Lacking:
    """An entry point whose command imports what is not installed."""

    name, module, dist = "up", "elsewhere.cli", None

    @staticmethod
    def load():
        raise ModuleNotFoundError("No module named 'psutil'", name="psutil")


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "slipway up is not installed: pip install 'slipway-operator[local]'"),
        ([Lacking], "the package psutil is missing: pip install 'slipway-operator[local]'"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--help"], ["--port", "7", "--once"]])
def test_a_command_without_its_packages_names_them(monkeypatch, points, said, options):
    monkeypatch.setattr(sys.modules[cli.__module__], "entry_points", lambda **_wanted: points)

    assert str(slipway("up", *options).exception) == said
    listed = slipway("--help")
    assert listed.exit_code == 0
    assert ("Not installed: pip install" in listed.output) == bool(points)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_their_completion(shell):
    assert "_SLIPWAY_COMPLETE" in slipway("completion", shell).output


def test_contracts_are_exported(tmp_path):
    done = slipway("contracts", "export", "orders", "--to", str(tmp_path), "--output", "json")

    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {
        "index.json",
        "openapi.v1.json",
        "asyncapi.json",
        *(
            f"events/orders.Order{what}.v1.schema.json"
            for what in ("Placed", "Confirmed", "Rejected", "Paid", "Cancelled")
        ),
    }
    assert {row["file"] for row in json.loads(done.output)} == {str(tmp_path / name) for name in written}
    document = json.loads((tmp_path / "asyncapi.json").read_text())
    assert document["info"] == {"title": "orders", "version": "1"}
    assert document["operations"]["send orders.order.v1"]["action"] == "send"
    assert document["operations"]["receive users.user.v1"]["action"] == "receive"
    schema = json.loads((tmp_path / "events" / "orders.OrderPlaced.v1.schema.json").read_text())
    assert schema["required"] == ["order_id", "user_id", "item", "quantity", "total_cents", "placed_at"]


@pytest.mark.parametrize("service", ["users", "inventory", "storefront"])
def test_every_service_says_what_it_promises(service, tmp_path):
    slipway("contracts", "export", service, "--to", str(tmp_path))

    assert any(tmp_path.iterdir())


def test_doctor_finds_what_is_there_and_names_the_cure_of_what_is_not():
    rows = json.loads(slipway("doctor", "--output", "json").output)
    assert {row["what"]: row["ok"] for row in rows}["Python"] is True

    without = slipway("doctor", "--output", "json", PATH="/nowhere", JAVA_HOME="")
    missing = {row["what"]: row["cure"] for row in json.loads(without.output) if not row["ok"]}
    assert "install kubectl" in missing["kubectl"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "nosuchservice", "http"], 1, "there is no module 'nosuchservice'"),
        (["run", "orders", "cook"], 1, "orders has no process 'cook', only: migrate, http, relay, consumer, worker"),
        (["dlq", "ls"], 1, "KAFKA_BOOTSTRAP_SERVERS is not set"),
        (["dlq", "ls", "topic"], 2, "name the GROUP too"),
        (["dlq", "show", "t", "g", "seven"], 2, "AT must look like 2:17"),
        (["new", "service", "Orders!"], 2, "can't be used"),
        (["new", "service", "json"], 2, "no word of Python or of its standard library"),
        (["new", "service", "orders"], 1, "services/orders exists already; nothing was written"),
        (["nosuchcommand"], 2, "No such command"),
    ],
)
def test_mistakes_are_one_sentence_and_a_code(monkeypatch, capsys, arguments, code, words):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setattr("sys.argv", ["slipway", *arguments])

    with pytest.raises(SystemExit) as ended:
        main()

    said = capsys.readouterr().err
    assert ended.value.code == code
    assert words in " ".join(said.split())
    assert "Traceback" not in said


def test_what_is_away_is_exit_code_3(monkeypatch, capsys):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr("sys.argv", ["slipway", "dlq", "ls"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 3
    assert "error: Kafka: 127.0.0.1:1" in capsys.readouterr().err


def test_a_module_with_two_services_is_told_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twins.py").write_text(
        "from slipway_chassis.service import service\na, b = service('a'), service('b')\n"
    )

    with pytest.raises(ConfigurationError, match="twins declares 2 services, not one"):
        find_service("twins")


def test_help_imports_no_command():
    """It would take seconds: databases, brokers, templates and engines lie behind them."""
    code = (
        "import sys; from slipway_chassis.cli import cli; cli(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert not {"sqlalchemy", "kafka", "jinja2", "flask", "pydantic"} & set(done.stdout.splitlines()[-1].split())
    assert "  up          Run PostgreSQL, Kafka, Envoy" in done.stdout
