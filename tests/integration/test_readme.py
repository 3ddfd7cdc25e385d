"""The README's service and its commands, run as they stand there."""

import http.client
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from slipway_chassis.config import KafkaSettings
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.events import kafka as broker
from support.repository import ROOT

pytestmark = pytest.mark.integration
SLIPWAY = str(Path(sys.executable).with_name("slipway"))


def code_of(readme):
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / readme).read_text(), re.DOTALL)
    return code


def test_both_readmes_show_the_same_service_of_about_20_lines():
    code = code_of("README.md")

    assert code == code_of("README.zh-CN.md")
    assert len([line for line in code.splitlines() if line.strip()]) <= 20


@pytest.fixture(name="notes")
def _notes(tmp_path, database_url, eventually):
    (tmp_path / "notes.py").write_text(code_of("README.md"))
    port, admin = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "HTTP_PORT": str(port),
        "ADMIN_PORT": str(admin),
    }
    subprocess.run([SLIPWAY, "run", "notes", "migrate"], cwd=tmp_path, env=environment, check=True, timeout=60)
    process = subprocess.Popen(
        [SLIPWAY, "run", "notes", "http"], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    )

    def ask(method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            sent = {"Content-Type": "application/json"} | dict(headers)
            connection.request(method, path, json.dumps(body) if body is not None else None, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ready():
        try:
            return ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    eventually(ready)
    yield ask
    process.terminate()
    assert process.wait(40) == 0


def test_the_service_of_the_readme_works(notes):
    key = {"Idempotency-Key": "k"}

    first, second = (notes("POST", "/v1/notes", {"text": "tea"}, key) for _ in range(2))

    assert first == second
    assert (first[0], json.loads(first[1])) == (201, {"id": 1, "text": "tea"})
    assert notes("POST", "/v1/notes", {"text": 7})[0] == 422
    assert json.loads(notes("GET", "/openapi.json")[1])["info"]["title"] == "notes"


@pytest.mark.parametrize(
    "headers", [{"X-Huge": "x" * 20_000}, {f"X-{n}": "x" for n in range(300)}, {"X-Request-Id": "a" * 5000}]
)
def test_huge_headers_are_refused_or_ignored_and_the_service_goes_on(notes, headers):
    status, _ = notes("GET", "/readyz", headers=headers)

    assert status in (200, 400, 431)
    assert notes("GET", "/readyz")[0] == 200


def test_the_commands_of_the_readme_run(kafka, tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    environment |= {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    settings = KafkaSettings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    broker.ensure_topics(settings, ["orders.order.v1", "orders.order.v1.users.dlq"])
    lines = re.findall(r"^(slipway (?:dlq|doctor).*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        command = [SLIPWAY, *line.split()[1:]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
