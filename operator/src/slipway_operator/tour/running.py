"""A lesson from its first run to its last rollback."""

import secrets
from dataclasses import dataclass

from . import faults
from .lesson import Fault, Lesson, Run
from .measuring import Measured
from .relations import broken
from .shop import RunningShop
from .visit import Visit


@dataclass(frozen=True, slots=True)
class Result:
    """``failed``: relations that do not hold."""

    with_it: Measured
    without_it: Measured
    failed: tuple[str, ...]


class LessonRun:
    """Its parts in their order: with the pattern, off, without it, on."""

    def __init__(self, lesson: Lesson, shop: RunningShop) -> None:
        self.lesson, self._shop = lesson, shop
        self._run: Run = lesson.runnable

    def with_it(self) -> Measured:
        if self._shop.lacks(self.lesson):
            self._shop.put_back(self._run.service)
        return self._measure()

    def take_away(self) -> str:
        return self._shop.take_away(self.lesson)

    def without_it(self) -> Measured:
        return self._measure()

    def put_back(self) -> bool:
        return self._shop.put_back(self._run.service)

    def judged(self, with_it: Measured, without_it: Measured) -> Result:
        run = self._run
        return Result(with_it, without_it, tuple(broken(run.harm, run.relations, with_it.counts, without_it.counts)))

    # --- one run
    def _measure(self) -> Measured:
        """Releases that are part of the fault are taken back at its end, whatever happened."""
        released = {fault.release: self._shop.active(fault.release) for fault in self._run.fault if fault.release}
        try:
            return self._run_once()
        finally:
            for service, label in released.items():
                self._shop.put_back(service, label)

    def _run_once(self) -> Measured:
        load = self._run.load
        visit = Visit(load, gateway=self._shop.layout.gateway, port=self._shop.port_of(load.at))
        self._faults(before=True)
        return visit.counted(visit.run(lambda: self._faults(before=False)))

    def _faults(self, *, before: bool) -> None:
        for fault in self._run.fault:
            if fault.before == before:
                self._happen(fault)

    def _happen(self, fault: Fault) -> None:
        data = self._shop.layout.data
        if fault.freeze:
            faults.freeze(data, fault.freeze, fault.seconds)
        elif fault.kill:
            faults.kill(data, fault.kill)
        else:
            self._shop.release_next(fault.release, f"next-{secrets.token_hex(3)}")
