"""The console of `slipway up` with the whole shop: a release is followed, and a killed consumer is named."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest

from slipway_chassis.embedded.processes import free_port
from slipway_chassis.testing.plugin import eventually
from slipway_operator.console.server import TOKEN_HEADER
from slipway_operator.runtimes.local.console.serving import address_on, token_of
from slipway_operator.runtimes.local.layout import Layout
from support.repository import ROOT

pytestmark = [pytest.mark.demo, pytest.mark.timeout(900)]
BASE_PORT = 31000
SLIPWAY = [sys.executable, "-m", "slipway_chassis"]
# Those that are told in any release. One may be over before the next look: it is among the steps then.
STAGES = ["Migrating", "Starting", "Checking", "HandingOver", "Watching"]


class Watching(threading.Thread):
    """Reads the stream to its end, and keeps what each part was at each time."""

    def __init__(self, console):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(console.host, console.port, timeout=60)
        self.parts, self.met, self.troubles = {}, [], []

    def run(self):
        self.connection.request("GET", "/api/events")
        answer, name = self.connection.getresponse(), ""
        while line := answer.readline().decode():
            if line.startswith("event: "):
                name = line.split()[1]
            elif line.startswith("data: ") and name == "parts":
                self._take(json.loads(line[6:]))

    def _take(self, parts):
        self.parts |= parts
        self.troubles += [part["trouble"] for part in parts.values() if part["trouble"]]
        release = self.service("orders")["release"] if "services" in parts else None
        if release and not release["ended"] and release["steps"]:
            self.met += [step["stage"] for step in release["steps"]]

    def service(self, name):
        return next(one for one in self.parts["services"]["value"] if one["name"] == name)

    def process(self, name):
        return next(one for one in self.parts["processes"]["value"] if one["name"] == name)


class Console:
    def __init__(self, layout):
        address = urlsplit(address_on(layout))
        self.host, self.port, self.token = address.hostname, address.port, token_of(layout)

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.request(method, path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module", name="layout")
def _layout(run_folder):
    layout = Layout(run_folder / "console", gateway=0, base=BASE_PORT)
    output = run_folder / "console-up.log"
    command = [*SLIPWAY, "up", "--data", layout.data, "--port", free_port(), "--base-port", BASE_PORT]
    with output.open("w") as log, subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=log, stderr=log) as up:
        try:
            eventually(lambda: "Ctrl-C stops" in output.read_text() or up.poll() is not None, within=240)
            assert "console            http://127.0.0.1:" in output.read_text()
            yield layout
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(120)
    assert not (layout.data / "console.json").exists()


@pytest.fixture(scope="module", name="watching")
def _watching(layout):
    watching = Watching(Console(layout))
    watching.start()
    eventually(lambda: len(watching.parts) == 6)
    return watching


def test_a_release_is_followed_step_by_step_and_taken_back_with_the_token(layout, watching):
    console = Console(layout)
    command = [*SLIPWAY, "release", "orders", "--version", "2", "--data", str(layout.data)]
    released = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert released.returncode == 0, released.stdout + released.stderr

    eventually(lambda: (watching.service("orders")["release"] or {}).get("result") == "Succeeded")
    orders = watching.service("orders")
    assert [stage for stage in dict.fromkeys(watching.met) if stage in STAGES] == STAGES
    assert (orders["active"], orders["previous"], orders["actions"]) == ("2", "dev", ["rollback"])
    [gate] = orders["release"]["gates"]
    assert (gate["name"], gate["state"]) == ("contracts", "Passed")
    assert orders["release"]["pause"] > 0
    steps = orders["release"]["steps"]
    assert all(step["began"] <= step["ended"] for step in steps)

    body = {"action": "rollback", "service": "orders"}
    assert console.ask("POST", "/api/actions", body)[0] == 401
    assert watching.service("orders")["active"] == "2"
    assert console.ask("POST", "/api/actions", body, **{TOKEN_HEADER: console.token})[0] == 200
    eventually(lambda: watching.service("orders")["active"] == "dev", within=180)
    audit = [json.loads(line) for line in (layout.logs / "console.log").read_text().splitlines()]
    assert [(one["event.action"], one["event.outcome"]) for one in audit] == [("", "failure"), ("rollback", "success")]


def test_a_killed_consumer_is_named(watching):
    # The release before may still end its last processes.
    eventually(lambda: watching.process("users worker")["state"] == "ready", within=120)
    before = watching.process("users worker")
    os.kill(before["pid"], signal.SIGKILL)

    eventually(lambda: watching.process("users worker")["falls"] == before["falls"] + 1)
    eventually(lambda: watching.process("users worker")["pid"] != before["pid"])  # told after its fall
    told = watching.parts["happenings"]["value"]
    assert any(one["fall"] and one["what"] == "users worker" for one in told)
    eventually(lambda: watching.process("users worker")["state"] == "ready", within=120)


def test_events_in_flow_are_known(watching):
    def known():
        groups = {one["group"]: one for one in watching.parts["streams"]["value"]["groups"]}
        return all(one["members"] and not one["trouble"] for one in groups.values()) and groups

    groups = eventually(known, within=60)
    assert set(groups) == {"users", "orders", "inventory"}
    boxes = watching.parts["outboxes"]["value"]
    assert {(one["service"], one["trouble"]) for one in boxes} == {("users", ""), ("orders", ""), ("inventory", "")}
