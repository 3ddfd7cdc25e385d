"""Which programs the stores are, where they are found, and what gets one that is missing."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from slipway_chassis.config import MachineSettings

ALERTMANAGER_MODULE = "github.com/prometheus/alertmanager/cmd/alertmanager@v0.31.1"
VICTORIA_LOGS_MODULE = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@v1.52.2"
INSTALLER = Path("ci", "tools", "install.sh")  # of this repository


@dataclass(frozen=True, slots=True)
class Program:
    """``commands``: what it is called where it is installed, its own name first. ``lacking``: what there is not without
    it. ``cure``: the command, or the page, that gets it.
    """

    title: str
    commands: tuple[str, ...]
    lacking: str
    cure: str

    @property
    def name(self) -> str:
        return self.commands[0]


PROMETHEUS = Program(
    "Prometheus",
    ("prometheus",),
    "no metrics and no alerts",
    "brew install prometheus, on Debian apt-get install prometheus, or https://prometheus.io/download/",
)
ALERTMANAGER = Program(
    "Alertmanager",
    ("alertmanager", "prometheus-alertmanager"),
    "no alerts beside Prometheus' own page",
    f"go install {ALERTMANAGER_MODULE}",
)
VICTORIA_LOGS = Program(
    "VictoriaLogs",
    ("victoria-logs", "victoria-logs-prod"),
    "no search in logs beside slipway logs",
    f"go install {VICTORIA_LOGS_MODULE}",
)
JAEGER = Program(
    "Jaeger", ("jaeger",), "no traces", "the archive of version 2 at https://www.jaegertracing.io/download/"
)
ALL = (PROMETHEUS, ALERTMANAGER, VICTORIA_LOGS, JAEGER)


def found(program: Program, machine: MachineSettings) -> str | None:
    """On the PATH, or where ci/tools/install.sh has built it; there the newest one."""
    for command in program.commands:
        if there := shutil.which(command, path=machine.path):
            return there
    built = sorted((machine.cache / "tools").glob(f"{program.name}-*/{program.name}"), key=_age)
    return str(built[-1]) if built else None


def missing(program: Program, project: Path) -> str:
    """The sentence: which, what that means, and what gets it."""
    builds = (project / INSTALLER).exists()
    cure = f"{INSTALLER} {program.name} builds it" if builds else f"it comes by {program.cure}"
    return f"there is no program {program.name}, so {program.lacking}; {cure}"


def _age(path: Path) -> float:
    return path.stat().st_mtime
