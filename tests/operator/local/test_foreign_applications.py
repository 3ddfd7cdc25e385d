"""Applications without the chassis: a command, the path that says whether it is ready, no part that they don't use."""

import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from slipway_chassis.config import MachineSettings
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.testing.plugin import eventually
from slipway_operator.errors import LocalRuntimeError
from slipway_operator.runtimes.local import processes
from slipway_operator.runtimes.local import versions as versions_module
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.platform import Platform
from slipway_operator.runtimes.local.processes import Processes, ask, utc_now
from slipway_operator.runtimes.local.releasing import Controls
from slipway_operator.runtimes.local.state import Kept, ServiceState
from slipway_operator.runtimes.local.system import Service, System, read
from slipway_operator.runtimes.local.versions import Versions, working_tree
from support.repository import ROOT

SLIPWAY = [sys.executable, "-m", "slipway_chassis"]
GUNICORN = str(ROOT / ".venv" / "bin" / "gunicorn")
HELLO = Service(name="hello", command=("gunicorn", "-b", "127.0.0.1:${port}", "app:app"), health="/health")


def project(folder, text, app="app.py"):
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(f"[tool.slipway.services.hello]\n{text}")
    (folder / app).write_text(
        "from flask import Flask\napp = Flask(__name__)\n"
        "app.add_url_rule('/health', 'health', lambda: 'well')\napp.add_url_rule('/', 'home', lambda: 'one')\n"
    )
    return folder


def test_two_lines_describe_a_project(tmp_path):
    system = read(project(tmp_path, 'command = ["gunicorn", "app:app"]\nhealth = "/health"\n'))

    assert [(one.processes, one.health) for one in system.services] == [(("http",), "/health")]
    assert [(route.prefix, route.upstream, route.public) for route in system.gateway.routes] == [("/", "hello", True)]


def test_the_process_is_named_to_a_command_that_has_several():
    several = HELLO.model_copy(update={"processes": ("migrate", "http")})

    assert working_tree(HELLO).argv("hello", "http", 5000) == ["gunicorn", "-b", "127.0.0.1:5000", "app:app"]
    assert working_tree(several).argv("hello", "migrate", 5000)[-1] == "migrate"
    assert working_tree(Service(name="hello", module="app")).argv("hello", "http", 5000)[-3:] == ["run", "app", "http"]


def test_its_folder_is_copied_without_caches_environments_and_data(tmp_path):
    code = project(tmp_path / "code", "")
    for name in (".git", ".slipway", "__pycache__", "environment", "templates"):
        (code / name).mkdir()
        (code / name / "file").write_text("x")
    (code / "environment" / "pyvenv.cfg").write_text("")
    (tmp_path / "releases").mkdir()

    kept = Versions(tmp_path / "releases", HELLO).keep("2", source=code, env={})

    copied = tmp_path / "releases" / "versions" / kept.hash / "code"
    assert sorted(path.name for path in copied.iterdir()) == ["app.py", "pyproject.toml", "templates"]
    assert kept.folder == kept.source == str(copied)


def test_the_same_code_in_another_folder_is_the_same_version(tmp_path):
    (tmp_path / "releases").mkdir()
    versions = Versions(tmp_path / "releases", HELLO)
    first = versions.keep("2", source=project(tmp_path / "a", ""), env={})

    assert versions.keep("2", source=project(tmp_path / "b", ""), env={}) == first
    with pytest.raises(LocalRuntimeError, match="has a version 2 already"):
        versions.keep("2", source=project(tmp_path / "c", "", "other.py"), env={})


@pytest.mark.parametrize("options", [{}, {"command": (), "module": "app"}], ids=["command", "module"])
def test_the_working_tree_as_a_way_back_is_what_it_was_when_it_began(tmp_path, options):
    service = HELLO.model_copy(update={"source": str(project(tmp_path / "code", "")), **options})
    (tmp_path / "releases").mkdir()
    versions, dev = Versions(tmp_path / "releases", service), working_tree(service)
    assert versions.as_it_began(dev) == dev, "nothing began"

    versions.remember_working_tree()
    project(tmp_path / "code", "").joinpath("app.py").write_text("edited since")

    began = versions.as_it_began(dev)
    assert (began.hash, began.label, began.folder == began.source) == (dev.hash, dev.label, bool(began.command))
    assert "'one'" in (Path(began.source) / "app.py").read_text()
    versions.remember_working_tree()
    assert (Path(began.source) / "app.py").read_text() == "edited since"


def test_a_working_tree_that_is_too_large_is_a_way_back_as_it_is(tmp_path, monkeypatch):
    service = HELLO.model_copy(update={"source": str(project(tmp_path / "code", ""))})
    (tmp_path / "releases").mkdir()
    versions, dev = Versions(tmp_path / "releases", service), working_tree(service)
    versions.remember_working_tree()
    monkeypatch.setattr(versions_module, "MOST_FILES", 1)

    versions.remember_working_tree()

    assert versions.as_it_began(dev) == dev, "an older copy is no way back to what began now"


def test_what_is_no_file_is_no_code(tmp_path):
    """An editor's lock is a link that leads nowhere; servers leave sockets and pipes."""
    code = project(tmp_path / "code", "")
    (code / ".#app.py").symlink_to("ada@host.1234")
    os.mkfifo(code / "pipe")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(code / "socket"))
    (tmp_path / "releases").mkdir()
    versions = Versions(tmp_path / "releases", HELLO.model_copy(update={"source": str(code)}))

    kept = versions.keep("2", source=None, env={})
    versions.remember_working_tree()

    for copied in (kept, versions.as_it_began(working_tree(HELLO))):
        assert sorted(path.name for path in Path(copied.source).iterdir()) == ["app.py", "pyproject.toml"]


def unreadable(*_, **__):
    raise PermissionError(13, "Permission denied", "app.py")


def full(*_, **__):
    raise shutil.Error([("app.py", "code/app.py", "[Errno 28] No space left on device")])


@pytest.mark.parametrize(
    ("place", "name", "breaks", "said"),
    [
        (Path, "read_bytes", unreadable, "Permission denied"),
        (shutil, "copytree", full, r"\[Errno 28\] No space left on device"),
    ],
    ids=["read", "copied"],
)
def test_a_file_that_cannot_be_copied_is_named_and_nothing_is_kept(tmp_path, monkeypatch, place, name, breaks, said):
    (tmp_path / "releases").mkdir()
    code = project(tmp_path / "code", "")
    versions = Versions(tmp_path / "releases", HELLO.model_copy(update={"source": str(code)}))
    monkeypatch.setattr(place, name, breaks)

    with pytest.raises(LocalRuntimeError, match=rf"^app\.py can't be copied: {said}$"):
        versions.keep("2", source=None, env={})

    assert [version.label for version in versions.all().values()] == ["dev"]


def test_a_working_tree_that_cannot_be_copied_starts_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "releases").mkdir()
    versions = Versions(tmp_path / "releases", HELLO.model_copy(update={"source": str(project(tmp_path / "code", ""))}))
    monkeypatch.setattr(shutil, "copytree", full)

    versions.remember_working_tree()

    assert versions.as_it_began(working_tree(HELLO)) == working_tree(HELLO)


def test_what_a_module_is_called_may_differ_from_its_service(tmp_path):
    (tmp_path / "releases").mkdir()
    service = Service(name="hello", module="app", processes=("http",))

    kept = Versions(tmp_path / "releases", service).keep("2", source=project(tmp_path / "code", ""), env={})

    assert (tmp_path / "releases" / "versions" / kept.hash / "code" / "app.py").exists()
    assert kept.argv("hello", "http", 1)[-3:] == ["run", "app", "http"]


@pytest.mark.parametrize(
    ("options", "database", "kafka"),
    [
        ({"processes": ("http",)}, False, False),
        ({"processes": ("migrate", "http")}, True, False),
        ({"processes": ("http",), "env": {"DB": "${database}"}}, True, False),
        ({"processes": ("migrate", "http"), "env": {"DATABASE_URL": "postgresql://db/x"}}, False, False),
        ({"processes": ("migrate", "http", "relay")}, True, True),
        ({"processes": ("consumer",), "env": {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}}, False, False),
    ],
)
def test_only_what_somebody_uses_is_started(tmp_path, options, database, kafka):
    service = Service(name="hello", **options)
    platform = Platform(
        Layout(tmp_path, gateway=1, base=1),
        System.model_construct(services=[service]),
        machine=MachineSettings(),
        tell=lambda *_: None,
    )

    assert (service.wants_database, platform._wants_kafka()) == (database, kafka)


def test_a_program_that_is_missing_is_named_before_anything_starts(tmp_path):
    system = read(project(tmp_path, 'command = ["gunicron", "app:app"]\n'))
    platform = Platform(Layout(tmp_path, gateway=1, base=1), system, machine=MachineSettings(), tell=lambda *_: None)

    with pytest.raises(
        LocalRuntimeError, match=r"hello is started by 'gunicron', and no such program is in \.venv/bin"
    ):
        platform.start()


def test_a_server_with_a_port_of_its_own_has_one_version(tmp_path):
    service = HELLO.model_copy(update={"port": 5000})
    layout = Layout(tmp_path, gateway=0, base=0)
    with layout.locked():
        controls = Controls(layout, System.model_construct(services=[service]), "hello")
        with pytest.raises(LocalRuntimeError, match=r"always listens on port 5000.*take \$\{port\}"):
            controls.release("2", source=None, env={})


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(("status", "good"), [(200, True), (204, True), (302, True), (404, False), (503, False)])
def test_an_answer_is_told_with_address_and_path(status, good):
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        answer = ask(server.server_port, f"/{status}")

    assert (answer.good, answer.said) == (good, f"127.0.0.1:{server.server_port}/{status} answered {status}")


def test_nobody_and_nonsense_are_told_apart():
    port = free_port()

    def answer_nonsense():
        client, _ = server.accept()
        client.sendall(b"nonsense\r\n")
        client.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer_nonsense, daemon=True).start()
        said = ask(server.getsockname()[1], "/health").said

    assert ask(port, "/health").said == f"nobody listens at 127.0.0.1:{port}/health"
    assert "/health gave no answer: " in said


@pytest.mark.integration
def test_what_does_not_get_ready_is_told_with_what_was_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "SLOW_SECONDS", 0.0)
    server = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "${port}")
    service = Service(name="hello", command=server, health="/wrong", port=free_port())
    dev = working_tree(service)
    state = ServiceState(versions={dev.hash: Kept(revision=1, wanted={"http": 1})})
    told = []
    running = Processes(
        service,
        0,
        Layout(tmp_path, gateway=1, base=1),
        lambda *_: {"PATH": MachineSettings().path},
        lambda *line: told.append(": ".join(line)),
    )
    running.follow(state, {dev.hash: dev}, utc_now())
    said = f"127.0.0.1:{service.port}/wrong answered 404"
    try:
        eventually(lambda: running.look() and f"hello http: dev is not ready: {said}" in told, within=30)
        assert running.answers() == [f"hello http: {said}"]
    finally:
        for child in running.all():
            child.stop()


class Up:
    """``slipway up`` in a project's folder, as a newcomer has it: nothing is said but where requests go."""

    def __init__(self, folder):
        self.folder = folder
        self._log = (folder / "up.log").open("w")
        self.port = free_port()
        command = [*SLIPWAY, "up", "--port", str(self.port)]
        self._process = subprocess.Popen(command, cwd=folder, stdout=self._log, stderr=subprocess.STDOUT)

    @property
    def said(self):
        return (self.folder / "up.log").read_text()

    def slipway(self, *words):
        return subprocess.run([*SLIPWAY, *words], cwd=self.folder, capture_output=True, text=True, check=False)

    def home(self):
        return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        self._log.close()


@pytest.mark.demo
@pytest.mark.timeout(180)
def test_a_plain_flask_application_is_released_and_ends_with_its_terminal(tmp_path):
    times = "release.watch_seconds = 0\nrelease.scale_down_delay_seconds = 0\n"
    folder = project(tmp_path / "hello", f'command = ["{GUNICORN}", "app:app"]\nhealth = "/health"\n{times}')
    with Up(folder) as up:
        eventually(lambda: "Ctrl-C" in up.said, within=90)
        assert "PostgreSQL" not in up.said
        assert "Kafka" not in up.said
        assert up.home() == "one"
        (folder / "app.py").write_text((folder / "app.py").read_text().replace("'one'", "'two'"))

        assert up.slipway("release", "hello", "--version", "2").returncode == 0

        (folder / "app.py").write_text("what is edited later does not change a version")
        assert up.home() == "two"

        assert up.slipway("rollback", "hello").returncode == 0

        assert up.home() == "one", "a way back brings what ran, and not what was edited since"
        copied = folder / ".slipway" / "releases" / "hello" / "dev" / "code"
        before = copied.stat().st_ino

        assert up.slipway("release", "hello", "--version", "dev").returncode == 0

        assert up.home() == "one"
        assert copied.stat().st_ino == before, "its processes stand in that folder"
    assert "stopped; no process is left" in up.said
    gone = up.slipway("status")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert f"nothing runs here: {folder / '.slipway'} was looked at" in gone.stderr
