"""Where the local runtime keeps things and which ports it uses: one folder, all ports on 127.0.0.1."""

import fcntl
import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway_chassis.config import MachineSettings
from slipway_chassis.embedded.processes import is_root, port_free

from ...errors import AlreadyRunning, NotRunning, PortInUse
from ...spec.hashing import digest
from .state import replace_file
from .system import Service

PORTS_PER_SERVICE = 10
# Versions of a service that may have processes at the same time, each with ports of its own.
SLOTS = 4
PORTS_PER_SLOT = 200
FIRST_GATEWAY, MOST_GATEWAYS = 8080, 100
FIRST_BASE, LAST_BASE, BASES_APART = 18000, 60000, 1000
FOLDER = ".slipway"
FOR_ALL = Path("/var/lib/slipway")

# Where in a service's ports each of its processes has its health and metrics.
ADMIN = {"http": 2, "grpc": 3, "relay": 4, "consumer": 5, "worker": 8}
# Where the gateway passes requests of other services on to the active version.
INNER = {"http": 6, "grpc": 7}


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """``admin``: of each process."""

    http: int
    grpc: int
    admin: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Layout:
    data: Path
    gateway: int
    base: int

    @property
    def postgresql(self) -> int:
        return self.base

    @property
    def postgresql_data(self) -> Path:
        """PostgreSQL does not run as root: where its own user may not enter, root has a place for it elsewhere."""
        folder = self.data / "postgresql"
        there = [each for each in (self.data, *self.data.parents) if each.exists()]  # its own are made with the data
        if not is_root() or all(each.stat().st_mode & stat.S_IXOTH for each in there):
            return folder
        return FOR_ALL / f"{self.data.parent.name}-{digest(str(self.data))}"

    @property
    def kafka(self) -> int:
        return self.base + 1

    @property
    def kafka_controller(self) -> int:
        return self.base + 2

    @property
    def gateway_admin(self) -> int:
        return self.base + 3

    @property
    def gateway_tls(self) -> int:
        return self.base + 4

    @property
    def gateway_metrics(self) -> int:
        return self.base + 5

    @property
    def console(self) -> int:
        """Where the console answers, unless somebody else has the port: it is not needed for anything else."""
        return self.base + 6

    @property
    def stores(self) -> int:
        """The first of the ports of what ``slipway up --observe`` starts; behind those of all versions."""
        return self.base + SLOTS * PORTS_PER_SLOT + 100

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway}"

    def of_service(self, position: int, slot: int = 0) -> ServicePorts:
        first = self.base + PORTS_PER_SLOT * slot + PORTS_PER_SERVICE * (position + 1)
        return ServicePorts(first, first + 1, {process: first + offset for process, offset in ADMIN.items()})

    def inner(self, position: int, protocol: str) -> int:
        """The port of a service that stays, whatever version answers there."""
        return self.base + PORTS_PER_SERVICE * (position + 1) + INNER[protocol]

    def _needed(self, services: Sequence[Service]) -> dict[int, str]:
        """Of the inner ports, and who needs each. Processes find ports themselves."""
        needed = {
            self.postgresql: "PostgreSQL",
            self.kafka: "Kafka",
            self.kafka_controller: "Kafka's controller",
            self.gateway_admin: "the gateway's admin page",
            self.gateway_tls: "the gateway's HTTPS",
            self.gateway_metrics: "the gateway's metrics",
        }
        for position, service in enumerate(services):
            needed |= {self.inner(position, process): service.name for process in service.processes if process in INNER}
        return needed

    def has_free_ports(self, services: Sequence[Service]) -> bool:
        """Inner ones."""
        return all(port_free(port) for port in self._needed(services))

    def require_free_ports(self, services: Sequence[Service]) -> None:
        """Raises PortInUse that names the port, who needs it and the cure."""
        if not port_free(self.gateway):
            raise PortInUse(
                f"port {self.gateway}, which the gateway needs, is in use. Stop what listens there "
                f"(ss -ltnp 'sport = :{self.gateway}' shows it) or choose another: slipway up --port {self.gateway + 1}"
            )
        for port, who in self._needed(services).items():
            if not port_free(port):
                raise PortInUse(
                    f"port {port}, which {who} needs, is in use. Stop what listens there "
                    f"(ss -ltnp 'sport = :{port}' shows it) or move all inner ports: "
                    f"slipway up --base-port {self.base + 1000}"
                )

    @property
    def endpoints(self) -> Path:
        return self.data / "gateway" / "endpoints"

    def releases(self, service: str) -> Path:
        """What is remembered of a service's versions and of the release that goes on."""
        return self.data / "releases" / service

    def levels(self, service: str) -> Path:
        """The file by which levels of its processes change while they run."""
        return self.data / "levels" / service

    @property
    def logs(self) -> Path:
        """A file of each process, of all its versions."""
        return self.data / "logs"

    def is_locked(self) -> bool:
        """Whether a runtime holds the folder."""
        if not (self.data / "lock").exists():
            return False
        with (self.data / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
            return False

    def require_running(self) -> None:
        """Raises NotRunning that says where it was looked."""
        if not self.is_locked():
            raise NotRunning(
                f"nothing runs here: {self.data} was looked at. Start it in another terminal (slipway up), or name "
                "its folder (--data)"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for one runtime at a time; the lock ends with the process, however it ends."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise AlreadyRunning(
                    f"a local runtime is running on {self.data} already. Stop it (Ctrl-C where it runs) "
                    "or give this one a folder and ports of its own: slipway up --data DIR --port P --base-port B"
                ) from None
            yield


def with_free_ports(data: Path, services: Sequence[Service], *, gateway: int | None, base: int | None) -> Layout:
    """Ports that are given are taken as they are. Others are those of the run before, or the first that are free: so
    projects run side by side, and each keeps its addresses.
    """
    before = remembered(data)
    gateways = [gateway] if gateway else [before[0], *range(FIRST_GATEWAY, FIRST_GATEWAY + MOST_GATEWAYS)]
    bases = [base] if base else [before[1], *range(FIRST_BASE, LAST_BASE, BASES_APART)]
    layout = Layout(
        data,
        gateway=next((port for port in gateways if port_free(port)), gateways[0]),
        base=next((each for each in bases if Layout(data, gateway=0, base=each).has_free_ports(services)), bases[0]),
    )
    replace_file(data / "ports.json", json.dumps([layout.gateway, layout.base]))
    return layout


def remembered(data: Path) -> tuple[int, int]:
    """The gateway's port and the first inner one, as the last run on this folder had them."""
    try:
        gateway, base = json.loads((data / "ports.json").read_text())
        return int(gateway), int(base)
    except (FileNotFoundError, ValueError, TypeError):
        return FIRST_GATEWAY, FIRST_BASE


def default_data(project: Path) -> Path:
    """Beside pyproject.toml."""
    return project / FOLDER


def layout_on(data: Path | None) -> Layout:
    """Of a command beside ``slipway up``, which takes no port: the folder that was named, or that of this project."""
    return Layout((data or default_data(Path.cwd())).absolute(), gateway=0, base=0)


def make_data(data: Path) -> None:
    """What a run leaves is nobody's source."""
    data.mkdir(parents=True, exist_ok=True)
    if data.name == FOLDER and not (data / ".gitignore").exists():
        (data / ".gitignore").write_text("*\n")


def former_data(machine: MachineSettings) -> Path:
    """Where the data of all projects of a user was until version 0.2."""
    if is_root():
        return FOR_ALL
    return Path(machine.xdg_state_home or Path(machine.home) / ".local" / "state") / "slipway"
