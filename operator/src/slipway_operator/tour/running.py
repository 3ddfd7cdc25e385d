"""A lesson from its first run to its last rollback."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import faults
from .lesson import Fault, Lesson, Run
from .measuring import Measured, with_counts
from .program import program_of
from .relations import broken
from .shop import RunningShop
from .stories import in_detail
from .visit import Visit, settled


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
        if self._shop.lacks_any(self._run.service):
            self._shop.put_back(self._run.service)
        return self._measure(self._run.fault, self._shop.port_of(self._run.load.at))

    def take_away(self) -> None:
        if self._run.by_release:
            self._shop.take_away(self.lesson)

    def without_it(self) -> Measured:
        faults_now = self._run.instead or self._run.fault
        if not self._run.beside:
            return self._measure(faults_now, self._shop.port_of(self._run.load.at))
        with program_of(self.lesson, self._shop.addresses()) as port:
            return self._measure(faults_now, port)

    def put_back(self) -> None:
        if self._run.by_release:
            self._shop.put_back(self._run.service)

    def judged(self, with_it: Measured, without_it: Measured) -> Result:
        run = self._run
        return Result(with_it, without_it, tuple(broken(run.harm, run.relations, with_it.counts, without_it.counts)))

    # --- one run
    def _measure(self, happens: Sequence[Fault], port: int) -> Measured:
        """Releases that are part of what happens are taken back at its end, whatever happened."""
        released = {fault.release: self._shop.active(fault.release) for fault in happens if fault.release}
        try:
            return self._run_once(happens, port)
        finally:
            for service, label in released.items():
                self._shop.put_back(service, label)

    def _run_once(self, happens: Sequence[Fault], port: int) -> Measured:
        layout = self._shop.layout
        visit = Visit(self._run.load, gateway=layout.gateway, port=port, admin=layout.gateway_admin)
        self._happen(fault for fault in happens if fault.before)
        if not self._run.load.told:
            return visit.counted(visit.run(lambda: self._while_they_are_there(happens)))
        names = [service.name for service in self._shop.system.services]
        with in_detail(layout, self._run.load.told, names) as stories:
            found = visit.counted(visit.run(lambda: self._while_they_are_there(happens)))
            return with_counts(found, untold=settled(lambda: stories.untold(found.orders)))

    def _while_they_are_there(self, happens: Sequence[Fault]) -> None:
        self._happen(fault for fault in happens if not fault.before)

    def _happen(self, happens: Iterable[Fault]) -> None:
        for fault in happens:
            self._one(fault)

    def _one(self, fault: Fault) -> None:
        data = self._shop.layout.data
        if fault.freeze:
            faults.freeze(data, fault.freeze, fault.seconds)
        elif fault.kill:
            faults.kill(data, fault.kill)
        elif fault.restart:
            faults.restart(data, fault.restart)
        else:
            self._shop.release_next(fault.release, f"next-{secrets.token_hex(3)}")
