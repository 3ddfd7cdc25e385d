"""The processes of one service: started, watched and ended, so that they are what is wanted. The thin edge."""

import http.client
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from slipway_chassis.embedded.processes import Child, port_free

from ...errors import LocalRuntimeError, PortInUse
from ...spec.fields import SERVING
from .layout import SLOTS, Layout, ServicePorts
from .observing import MIGRATIONS, Process
from .state import ServiceState, replace_file
from .system import Service
from .versions import Version

PROBE_SECONDS = 2.0
# A slow answer of a busy machine takes no version out of service.
SILENCE_SECONDS = 4.0
# Who is not ready after so long is told of, with what was asked and what came. The shop needs less on two cores.
SLOW_SECONDS = 10.0
READY_PATH = "/readyz"
# A process that ends again and again before it is ready is started at longer and longer intervals, in seconds.
PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
STOP_SECONDS = 40.0

Environment = Callable[[Service, Version, ServicePorts], Mapping[str, str]]


@dataclass
class _Running:
    version: Version
    component: str
    child: Child
    slot: int
    port: int  # of its requests; 0: none
    admin: int  # 0: a migration, which has none
    asked: tuple[int, str] = (0, "")  # port and path that say whether it is ready
    began: float = field(default_factory=time.monotonic)
    answer: str = ""  # that was told last
    ready: bool = False
    answered_at: float = 0.0  # when it was ready last
    ending: datetime | None = None
    falls: int = 0  # times it ended by itself since it was ready last
    failing_since: datetime | None = None
    again_at: datetime | None = None
    ended: int | None = None


@dataclass
class Processes:
    """``environment`` gives the settings of a process. ``tell`` gets a line when one is ready, or ends by itself."""

    service: Service
    position: int
    layout: Layout
    environment: Environment
    tell: Callable[[str, str], None]
    restarts: list[str] = field(default_factory=list)
    _running: dict[tuple[str, str], _Running] = field(default_factory=dict)

    # --- a look
    def look(self) -> list[Process]:
        """All of them, their readiness asked. Those that were to end and have ended are not there any more."""
        return [self._seen(each) for each in list(self._running.values())]

    def _seen(self, each: _Running) -> Process:
        alive = each.child.alive
        if alive and each.admin:
            self._probe(each)
        elif not alive:
            each.ready = False
        if not alive and each.component in MIGRATIONS:
            each.ended = each.child.wait(0)
        said = _last_line(each.child) if each.ended or each.failing_since else ""
        return replace(_known(each, alive=alive), said=said)

    def _probe(self, each: _Running) -> None:
        answer, now = ask(*each.asked), time.monotonic()
        was = each.ready
        each.answered_at = now if answer.good else each.answered_at
        each.ready = answer.good or (was and now - each.answered_at < SILENCE_SECONDS)
        if answer.good:
            each.falls, each.failing_since, each.answer = 0, None, ""
            if not was:
                self.tell(each.child.name, f"{each.version.label} is ready{_where(each)}")
        elif not each.ready and not each.ending and now - each.began > SLOW_SECONDS and each.answer != answer.said:
            each.answer = answer.said
            self.tell(each.child.name, f"{each.version.label} is not ready: {answer.said}")

    def somebody_fell(self) -> bool:
        """Whether a process ended since the last look; it costs no question."""
        return any(not each.child.alive and each.again_at is None for each in self._running.values())

    # --- what is wanted
    def follow(self, state: ServiceState, versions: Mapping[str, Version], now: datetime) -> None:
        """Starts what is wanted and not there, ends what is there and not wanted."""
        for key, each in list(self._running.items()):
            self._end_or_forget(key, each, state, now)
        for name, kept in state.versions.items():
            for component, count in kept.wanted.items():
                if count and name in versions:
                    self._ensure(versions[name], component, now)
        for job in state.migrations:
            if job.state.value == "Running" and job.version in versions:
                self._ensure_job(versions[job.version], job.kind)
        self._mark(state)

    def _end_or_forget(self, key: tuple[str, str], each: _Running, state: ServiceState, now: datetime) -> None:
        wanted = _wanted(state, *key)
        if not each.child.alive:
            if each.ending or not wanted:
                del self._running[key]
        elif not wanted and each.ending is None:
            each.ending = now
            each.child.ask_to_end()
        elif each.ending and (now - each.ending).total_seconds() > STOP_SECONDS:
            each.child.stop(timeout=0)

    def _ensure(self, version: Version, component: str, now: datetime) -> None:
        each = self._running.get((version.hash, component))
        if each is None:
            self._start(version, component, component)
        elif not each.child.alive and each.version != version:  # other code is to run than what ended
            self.restarts.append(each.child.name)
            self._start(version, component, component)
        elif not each.child.alive:
            self._start_again(each, now)

    def _start_again(self, each: _Running, now: datetime) -> None:
        if each.again_at is None:
            each.falls += 1
            each.failing_since = each.failing_since or (now if each.falls > 1 else None)
            each.again_at = now + _pause(each.falls)
            self.restarts.append(each.child.name)
        if now >= each.again_at:
            each.again_at, each.began = None, time.monotonic()
            each.child.start()

    def _ensure_job(self, version: Version, kind: str) -> None:
        if (version.hash, kind) not in self._running:
            self._start(version, kind, "migrate" if kind == "expand" else "contract")

    def _start(self, version: Version, component: str, process: str) -> None:
        slot = self._slot(version)
        ports = self._ports_of(version, slot)
        admin = ports.admin.get(component, 0)
        environment = dict(self.environment(self.service, version, ports))
        if admin:
            environment["ADMIN_PORT"] = str(admin)
        environment["LEVELS_FILE"] = str(self.layout.levels(self.service.name))
        if component in SERVING:
            environment["CLOSING_FILE"] = str(self._closing_file(version.hash, component))
        log = self.layout.logs / f"{self.service.name}-{component}.log"
        name = f"{self.service.name} {component}"
        argv = version.argv(self.service.name, process, ports.http)
        child = Child(name, argv, log, environment, folder=Path(version.folder) if version.folder else None)
        port = {"http": ports.http, "grpc": ports.grpc}.get(component, 0)
        own = component == "http" and version.health
        asked = (port, version.health) if own else (admin, READY_PATH)
        running = _Running(version, component, child, slot, port, admin, asked)
        _begin(child)
        self._running[version.hash, component] = running

    def _slot(self, version: Version) -> int:
        """The ports of this version: those it has, or the first ones that nobody has."""
        taken = {each.slot: each.version.hash for each in self._running.values()}
        for slot, owner in taken.items():
            if owner == version.hash:
                return slot
        for slot in range(SLOTS):
            if slot not in taken and all(map(port_free, self._ports(version, slot))):
                return slot
        raise PortInUse(
            f"{self.service.name} finds no free ports for another version; end former ones, or what listens on "
            f"{self.layout.of_service(self.position).http} and the ports behind it"
        )

    def _ports_of(self, version: Version, slot: int) -> ServicePorts:
        ports = self.layout.of_service(self.position, slot)
        return replace(ports, http=version.port) if version.port else ports

    def _ports(self, version: Version, slot: int) -> Iterator[int]:
        ports = self._ports_of(version, slot)
        yield from (ports.admin[process] for process in version.processes if process in ports.admin)
        yield from {"http": ports.http, "grpc": ports.grpc}.values()

    # --- draining
    def _closing_file(self, version: str, component: str) -> Path:
        return self.layout.releases(self.service.name) / f"closing-{version}-{component}"

    def _mark(self, state: ServiceState) -> None:
        for version, kept in state.versions.items():
            for component in SERVING:
                if (version, component) in self._running:
                    file = self._closing_file(version, component)
                    if kept.draining and not file.exists():
                        replace_file(file, "true")
                    elif not kept.draining:
                        file.unlink(missing_ok=True)

    # --- for others
    def restarted(self) -> list[str]:
        """Names of those that ended by themselves and were started again, since this was asked last."""
        names, self.restarts = self.restarts, []
        return names

    def children(self, active: str | None = None) -> dict[str, Child]:
        """By name; where two versions have a process of that name, the active one's."""
        ordered = sorted(self._running.values(), key=lambda each: each.version.hash == active)
        return {each.child.name: each.child for each in ordered if each.component not in MIGRATIONS}

    def shown(self) -> list[tuple[str, str, Process]]:
        """Name, name of the version, and what is known of each since the last look: it asks nobody, and any thread may
        call it.
        """
        running = [each for each in list(self._running.values()) if each.component not in MIGRATIONS]
        return [(each.child.name, each.version.label, _known(each, alive=each.child.alive)) for each in running]

    def answers(self) -> list[str]:
        """What those that are not ready answered, as far as it was told."""
        return [f"{each.child.name}: {each.answer}" for each in self._running.values() if each.answer]

    def all(self) -> list[Child]:
        return [each.child for each in self._running.values()]

    def admin_port(self, component: str, active: str | None) -> int:
        found = [each for (version, name), each in self._running.items() if name == component]
        return max(found, key=lambda each: each.version.hash == active).admin


def _known(each: _Running, *, alive: bool) -> Process:
    return Process(
        version=each.version.hash,
        component=each.component,
        pid=each.child.pid,
        port=each.port,
        admin=each.admin,
        alive=alive,
        ready=each.ready,
        ending=each.ending is not None,
        ended=each.ended,
        failing_since=each.failing_since,
    )


def _wanted(state: ServiceState, version: str, component: str) -> bool:
    if component in MIGRATIONS:
        return any((each.version, each.kind) == (version, component) and each.state.value == "Running"
                   for each in state.migrations)  # fmt: skip
    return state.wants(version, component) > 0


def _pause(falls: int) -> timedelta:
    return timedelta(seconds=PAUSES[min(falls - 1, len(PAUSES) - 1)])


def _last_line(child: Child) -> str:
    lines = child.last_words(1).splitlines()
    return lines[-1].strip()[:300] if lines else ""


def _begin(child: Child) -> None:
    try:
        child.start()
    except OSError as error:  # no such program, or no such folder
        raise LocalRuntimeError(f"{child.name} can't be started: {error}") from None


def _where(each: _Running) -> str:
    requests = f", requests on {each.port}" if each.port else ""
    return (
        requests
        if each.version.health and each.component == "http"
        else (f"{requests}; health and metrics on {each.admin}")
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """``good``: work can be sent there. ``said``: what was asked, and what came."""

    good: bool
    said: str


def ask(port: int, path: str) -> Answer:
    """Good is what is good for a kubelet: 200 to 399."""
    address = f"127.0.0.1:{port}{path}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except TimeoutError:
        return Answer(good=False, said=f"{address} gave no answer within {PROBE_SECONDS:.0f} s")
    except ConnectionRefusedError:
        return Answer(good=False, said=f"nobody listens at {address}")
    except (OSError, http.client.HTTPException) as error:
        return Answer(good=False, said=f"{address} gave no answer: {error or type(error).__name__}")
    else:
        good = HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST
        return Answer(good=good, said=f"{address} answered {status}")
    finally:
        connection.close()


def stop_all(children: Sequence[Child], timeout: float = 30.0) -> None:
    """All are asked first, then waited for: their stops take as long as the longest."""
    for child in children:
        if child.alive:
            child.ask_to_end()
    for child in children:
        child.stop(timeout)


def utc_now() -> datetime:
    return datetime.now(UTC)
