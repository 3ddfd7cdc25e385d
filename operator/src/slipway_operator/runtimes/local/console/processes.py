"""The processes as ``slipway up`` holds them; nobody is asked for it."""

from collections.abc import Iterable, Iterator

from ....console.model import ProcessState, ProcessView
from ..observing import Process
from ..platform import Platform
from .happenings import Happenings

Named = tuple[str, str, Process]
"""The process's name, such as ``orders worker``, the name of its version, and what is known of it."""


def process_views(named: Iterable[Named], happenings: Happenings) -> Iterator[ProcessView]:
    for name, version, process in named:
        falls, fell = happenings.falls(name)
        yield ProcessView(name, version, _state(process), process.pid, process.port, falls, fell)


def _state(process: Process) -> ProcessState:
    if not process.alive:
        return "ended"
    if process.ending:
        return "ending"
    return "ready" if process.ready else "starting"


def everything_of(platform: Platform) -> list[Named]:
    """Those of services as they were at the last look, and PostgreSQL, Kafka and Envoy; any thread may call it."""
    infrastructure = [
        (child.name, "", Process("", child.name, child.pid, alive=child.alive, ready=child.alive))
        for child in list(platform.infrastructure)
    ]
    reconcilers = list(platform.reconcilers.values())
    return [*infrastructure, *(each for reconciler in reconcilers for each in reconciler.processes.shown())]
