"""`make demo` as a newcomer runs it: it tells what it does, it works, it stops clean, it keeps the data."""

import os
import re
import signal
import socket
import subprocess
from contextlib import contextmanager, suppress

import psutil
import psycopg
import pytest

from slipway_chassis.embedded import postgresql
from slipway_chassis.embedded.processes import free_port, port_free, port_open
from slipway_chassis.testing.plugin import eventually
from support.repository import ROOT

pytestmark = [pytest.mark.demo, pytest.mark.timeout(600)]
BASE_PORT = 22000


class Demo:
    def __init__(self, folder):
        self.data = folder / "demo"
        self.port = free_port()
        self._options = f"--data {self.data} --port {self.port} --base-port {BASE_PORT}"

    def command(self, *more):
        return ["make", "-C", str(ROOT), "demo", *more, f"DEMO_OPTIONS={self._options}"]

    def once(self):
        return subprocess.run(self.command("ONCE=1"), capture_output=True, text=True, check=False, timeout=550)

    def started(self):
        """The demo running until it is stopped; its own process group, as in a terminal."""
        return subprocess.Popen(self.command(), stdout=subprocess.PIPE, text=True, start_new_session=True)

    def processes(self):
        """Everything the demo started: it has the data folder in its arguments or our Kafka in its environment."""
        kafka = f"127.0.0.1:{BASE_PORT + 1}"
        return [
            p
            for p in psutil.process_iter(["cmdline", "environ"])
            if str(self.data) in " ".join(p.info["cmdline"] or [])
            or (p.info["environ"] or {}).get("KAFKA_BOOTSTRAP_SERVERS") == kafka
        ]

    def assert_clean(self):
        eventually(lambda: not self.processes(), within=60)
        # A dying process loses its memory, and with it its name, before its sockets.
        ports = (self.port, *range(BASE_PORT, BASE_PORT + 60))
        eventually(lambda: all(port_free(port) for port in ports), within=30)

    def users(self):
        """How many there are, as the database has it: the API shows nobody the others."""
        password = (self.data / "postgresql" / "password").read_text().strip()
        url = f"postgresql://users:{password}@127.0.0.1:{BASE_PORT}/users"
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                return connection.execute("SELECT count(*) FROM users").fetchone()[0]
        except psycopg.Error:  # it is being made
            return -1

    @contextmanager
    def stored(self, database):
        """A connection to what an earlier run left, while nothing else runs."""
        server = postgresql.start(self.data / "postgresql", port=BASE_PORT)
        try:
            with psycopg.connect(server.url(database)) as connection:
                yield connection
        finally:
            server.child.stop()

    def users_of_earlier_runs(self):
        if not self.data.exists():
            return 0
        with self.stored("users") as connection:
            return connection.execute("SELECT count(*) FROM users").fetchone()[0]

    def let_orders_grow_old(self):
        """As if hours had passed: what nobody paid runs out of time at the next start. Returns how many these are."""
        aged = "UPDATE orders SET changed_at = changed_at - interval '2 hours' WHERE status = 'confirmed'"
        with self.stored("orders") as connection:
            return connection.execute(aged).rowcount


@pytest.fixture(scope="module", name="demo")
def _demo(run_folder):
    return Demo(run_folder)


def told(done):
    """The acts of a story that went well."""
    assert done.returncode == 0, done.stdout + done.stderr
    acts = done.stdout.split("\nAct ")[1:]
    assert [act[0] for act in acts] == ["1", "2", "3"]
    answered, failed = re.search(r"(\d+) requests were answered, (\d+) failed", acts[1]).groups()
    assert int(answered) > 20
    assert failed == "0"
    return acts


@pytest.mark.core
def test_once_tells_its_story_and_leaves_nothing(demo):
    done = demo.once()

    acts = told(done)
    # The shelf tells it, and nothing comes back to it on a first evening.
    assert re.search(r"(\d+) orders, \1 reservations: each event came through once", acts[1]), acts[1]
    for part in (
        "PostgreSQL",
        "Kafka",
        "users http",
        "orders worker",
        "inventory grpc",
        "storefront http",
        "users worker",
        "gateway (Envoy)",
    ):
        assert re.search(rf"\d+\.\d s +\(\+ *\d+\.\d\) +{re.escape(part)} ", done.stdout), done.stdout
    assert "there it is, paid" in done.stdout
    assert "version 2 answers; the release is over" in acts[1]
    assert "gate contracts failed" in acts[2]
    assert "version 2 answers; 3 is held back" in acts[2]
    assert "what was there before goes on answering" in acts[2]
    memory = int(re.search(r"all of it takes (\d+) MB of memory \(proportional set size\)", done.stdout)[1])
    assert memory < 1500
    demo.assert_clean()


def test_it_runs_until_ctrl_c_and_a_second_start_keeps_the_data(demo):
    before = demo.users_of_earlier_runs()
    running = demo.started()
    try:
        eventually(lambda: port_open(demo.port) and demo.users() == before + 1, within=120)
        second = subprocess.run(demo.command(), capture_output=True, text=True, check=False, timeout=60)
        assert second.returncode != 0
        assert "already" in second.stderr
    finally:
        os.killpg(running.pid, signal.SIGINT)  # what a terminal does at Ctrl-C
        output = running.communicate(timeout=120)[0]
    assert "stopped; no process is left" in output
    demo.assert_clean()


def slipway_up(pid):
    """The first one: a child that it is starting right now looks the same for a moment; others end meanwhile."""
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "up" in process.cmdline():
                return process
    raise AssertionError("slipway up does not run")


def test_killing_it_with_9_leaves_no_process_behind_and_a_second_evening_goes_on(demo):
    """It is killed in the middle of a release; hours later its orders have run out of time."""
    running = demo.started()
    for line in running.stdout:
        if "HandingOver" in line:
            break
    slipway_up(running.pid).kill()
    running.communicate(timeout=60)
    demo.assert_clean()
    assert demo.let_orders_grow_old() > 5

    acts = told(demo.once())

    assert re.search(r"(\d+) orders, \1 reservations: ", acts[1]), acts[1]
    assert "the release is over" in acts[1]
    assert "gate contracts failed" in acts[2]
    demo.assert_clean()


def test_a_taken_port_stops_it_before_anything_starts(demo):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", demo.port))
        taken.listen()
        done = demo.once()

    assert done.returncode != 0
    assert f"port {demo.port}, which the gateway needs, is in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert demo.processes() == []
