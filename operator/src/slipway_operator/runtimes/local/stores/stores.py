"""The stores of a ``slipway up``: started, fed and started again by a thread of their own, so that one that hangs, dies
or has no disk left costs no request and holds no release up.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import psutil

from slipway_chassis.config import MachineSettings
from slipway_chassis.embedded.processes import Child, free_port, port_free, port_open

from ..console.processes import Named
from ..layout import Layout
from ..leftovers import Leftovers
from ..memory import Memory, taken
from ..processes import stop_all
from ..state import replace_file
from . import configuration, programs
from .configuration import Ports
from .programs import Program
from .shipping import Shipping

LOOK_SECONDS = 0.5
PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds before one that ended is started again
STEADY_SECONDS = 30.0  # who lived so long begins with the shortest pause again
STOP_SECONDS = 10.0
MEMORY_LIMIT = "256MiB"  # of each; Go's runtime collects more often near it
LAST_PORT = 65535
# How each is started, and which of the ports answers once it is up.
COMMANDS = {
    programs.PROMETHEUS.name: (configuration.prometheus_command, "prometheus"),
    programs.ALERTMANAGER.name: (configuration.alertmanager_command, "alertmanager"),
    programs.VICTORIA_LOGS.name: (configuration.victoria_logs_command, "victoria_logs"),
    programs.JAEGER.name: (configuration.jaeger_command, "jaeger"),
}
Tell = Callable[[str, str], None]


@dataclass
class _Store:
    program: Program
    child: Child
    port: int  # that answers once it is up
    address: str
    told: bool = False
    falls: int = 0
    began: float = 0.0
    again_at: float | None = None


class Stores:
    """``tell`` gets one line for each thing that happened: whom, and a remark. ``rules``: a PrometheusRule."""

    def __init__(
        self, layout: Layout, *, project: Path, machine: MachineSettings, tell: Tell, rules: str | None = None
    ) -> None:
        self.folder = layout.data / "stores"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._layout = layout
        self._project = project
        self._machine = machine
        self._tell = tell
        self._rules = rules or files(__package__).joinpath("rules.yaml").read_text()
        self._leftovers = Leftovers(self.folder / "processes.json")
        for name in self._leftovers.end():
            tell(name, "of a former run has ended")
        self.ports = _ports(layout)
        self._stores = [store for program in programs.ALL if (store := self._store(program))]
        self._shipping: Shipping | None = None
        if self.has(programs.VICTORIA_LOGS):
            places = self.folder / "sent.json"
            self._shipping = Shipping(layout, self.ports.victoria_logs, places, lambda said: tell("logs", said))
        self._everything: Callable[[], Iterable[Named]] = list
        self._targets = ""
        self._trouble = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stores", daemon=True)

    def has(self, program: Program) -> bool:
        return any(store.program is program for store in self._stores)

    @property
    def settings(self) -> Mapping[str, str]:
        """What processes are told, so that they send their traces."""
        there = self.has(programs.JAEGER)
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{configuration.local(self.ports.otlp)}"} if there else {}

    @property
    def children(self) -> Sequence[Child]:
        return [store.child for store in self._stores]

    def memory(self) -> Memory:
        """What they take, without what runs."""
        return taken(process for child in self.children for process in child.family())

    # --- from begin to end
    def start(self, everything: Callable[[], Iterable[Named]]) -> None:
        """``everything``: the processes that run now. Returns at once; who is missing is told."""
        self._everything = everything
        for program in programs.ALL:
            if not self.has(program):
                self._tell(program.title, programs.missing(program, self._project))
        self._write_settings()
        for store in self._stores:
            self._begin(store)
        self._leftovers.record(self.children)
        self._thread.start()

    def stop(self) -> None:
        """Sends the last lines, as far as somebody takes them, and ends all."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * STOP_SECONDS)
        if self._shipping:
            with contextlib.suppress(OSError):
                self._shipping.ship()
        stop_all(self.children, STOP_SECONDS)
        with contextlib.suppress(OSError):  # a full disk: the next start finds nobody of these numbers
            self._leftovers.record(self.children)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self._look()
                self._trouble = ""
            except (OSError, ValueError, RuntimeError, psutil.Error) as error:  # a disk that is full, above all
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    self._tell("stores", self._trouble)

    def _look(self) -> None:
        for store in self._stores:
            self._tend(store)
        self._leftovers.record(self.children)
        self._write_targets()
        if self._shipping:
            self._shipping.ship()

    # --- one store
    def _tend(self, store: _Store) -> None:
        now = time.monotonic()
        if store.child.alive:
            if not store.told and port_open(store.port):
                store.told = True
                self._tell(store.program.title, store.address)
            if now - store.began > STEADY_SECONDS:
                store.falls = 0
        elif store.again_at is None:
            store.again_at = now + PAUSES[min(store.falls, len(PAUSES) - 1)]
            if store.falls == 0:
                self._tell(store.program.title, f"ended by itself and is started again; {store.child.log} says why")
            store.falls += 1
        elif now >= store.again_at:
            self._begin(store)

    def _begin(self, store: _Store) -> None:
        store.again_at, store.began = None, time.monotonic()
        try:
            store.child.start()
        except OSError as error:  # it was removed meanwhile
            self._tell(store.program.title, f"can't be started: {error}")

    def _store(self, program: Program) -> _Store | None:
        path = programs.found(program, self._machine)
        if path is None:
            return None
        command, port_name = COMMANDS[program.name]
        port: int = getattr(self.ports, port_name)
        argv = command(path, self.folder, port)
        environment = {"PATH": self._machine.path, "HOME": self._machine.home, "GOMEMLIMIT": MEMORY_LIMIT}
        child = Child(program.name, argv, self.folder / f"{program.name}.log", environment)
        page = "select/vmui/" if program is programs.VICTORIA_LOGS else ""
        return _Store(program, child, port, f"http://{configuration.local(port)}/{page}")

    # --- what they read
    def _write_settings(self) -> None:
        ports = self.ports
        alertmanager = ports.alertmanager if self.has(programs.ALERTMANAGER) else None
        contents = {
            "prometheus.yaml": configuration.prometheus_settings(self.folder, alertmanager),
            "rules.yaml": configuration.rules_of(self._rules),
            "alertmanager.yaml": configuration.alertmanager_settings(),
            "jaeger.yaml": configuration.jaeger_settings(ports.jaeger, ports.otlp),
        }
        for name, settings in contents.items():
            replace_file(self.folder / name, configuration.written(settings))
        self._write_targets()

    def _write_targets(self) -> None:
        """Replaced as a whole when somebody came or went: Prometheus watches it."""
        found = configuration.targets_of(self._everything(), self._project.name, self._layout.gateway_metrics)
        targets = json.dumps(found, indent=1)
        if targets != self._targets:
            replace_file(self.folder / "targets.json", targets)
            self._targets = targets


def _ports(layout: Layout) -> Ports:
    """Those of the layout; a port that somebody else has is replaced by a free one."""
    wanted = range(layout.stores, layout.stores + len(Ports.__slots__))
    return Ports(*(port if port <= LAST_PORT and port_free(port) else free_port() for port in wanted))
