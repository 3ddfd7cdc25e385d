"""Processes of a run that was killed: found again by their number and the time they started, and ended first.

Linux ends children with their parent, but a consumer may take a while to finish its batch; and two of them at once
must never be.
"""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import psutil

from slipway_chassis.embedded.processes import Child

from .state import replace_file

PATIENCE_SECONDS = 30
# The system counts start times in ticks of 10 ms.
SAME_SECONDS = 0.1


class Leftovers:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._written: list[list[object]] = []

    def record(self, children: Sequence[Child]) -> None:
        """Writes who runs, when that changed."""
        pids = [(child.name, child.pid) for child in children if child.alive]
        if pids == [(name, pid) for name, pid, _ in self._written]:
            return
        found: list[list[object]] = []
        for name, pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append([name, pid, psutil.Process(pid).create_time()])
        replace_file(self._file, json.dumps(found))
        self._written = found

    def running(self) -> list[tuple[str, psutil.Process]]:
        """Those that were written and still run, by name; one of another's number is none of them."""
        return [(name, process) for name, pid, started in self._read() if (process := _same(pid, started))]

    def end(self) -> list[str]:
        """Ends those that still run, asking first; returns their names."""
        there = self.running()
        for _, process in there:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs([process for _, process in there], timeout=PATIENCE_SECONDS)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return [name for name, _ in there]

    def _read(self) -> list[tuple[str, int, float]]:
        try:
            return [(str(name), int(pid), float(started)) for name, pid, started in json.loads(self._file.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []


def _same(pid: int, started: float) -> psutil.Process | None:
    """Numbers are given again to others: the time of its start tells whether it is the one."""
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - started) < SAME_SECONDS else None
    except psutil.NoSuchProcess:
        return None
