"""Liveness and readiness: named checks, asked at most once a second however often the probe comes.

>>> from slipway_chassis.errors import BrokerUnavailable
>>> def kafka():
...     raise BrokerUnavailable("Kafka: connection refused")
>>> Health({"kafka": kafka}).readiness()[1]["checks"]
{'kafka': {'ok': False, 'detail': 'Kafka: connection refused'}}
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ChassisError
from ..resilience.breaker import breaker_states

Check = Callable[[], object]
# Probes of several kubelets, gateways and people must not become load on the database.
CACHE_SECONDS = 1.0


@dataclass
class Health:
    """``checks`` raise a ChassisError while what they name is not usable.

    Draining begins by a sign given to ``drain_when`` or by the existence of ``drain_file``: a preStop
    hook can make a file without a signal, a shell is all it takes.
    """

    checks: Mapping[str, Check] = field(default_factory=dict)
    drain_file: Path | None = None
    clock: Callable[[], float] = time.monotonic
    _signs: list[Callable[[], bool]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _report: tuple[float, dict[str, str]] | None = None

    def __post_init__(self) -> None:
        # A container that was restarted in its pod finds the file of its predecessor.
        if self.drain_file:
            self.drain_file.unlink(missing_ok=True)

    @property
    def draining(self) -> bool:
        """Whether the process is on its way out: it finishes what it has and must get nothing new."""
        if any(sign() for sign in self._signs):
            return True
        return self.drain_file is not None and self.drain_file.exists()

    def drain_when(self, sign: Callable[[], bool]) -> None:
        """Not ready while ``sign`` says so, so that no new work arrives."""
        self._signs.append(sign)

    def readiness(self) -> tuple[bool, dict[str, object]]:
        """Whether work may be sent here, and the JSON body that says why or why not."""
        report = self._checked()
        draining = self.draining
        ready = not draining and not any(report.values())
        status = "draining" if draining else "ready" if ready else "unavailable"
        checks = {name: {"ok": not why, **({"detail": why} if why else {})} for name, why in report.items()}
        body: dict[str, object] = {"status": status, "checks": checks}
        if states := breaker_states():
            # For people: an open circuit to one dependency does not make a service useless.
            body["circuit_breakers"] = states
        return ready, body

    def _checked(self) -> dict[str, str]:
        with self._lock:
            if self._report is None or self.clock() - self._report[0] >= CACHE_SECONDS:
                report = {name: _why_not(check) for name, check in self.checks.items()}
                self._report = (self.clock(), report)
            return self._report[1]


def _why_not(check: Check) -> str:
    try:
        check()
    except ChassisError as error:
        return str(error)
    return ""
