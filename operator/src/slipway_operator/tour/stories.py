"""Whether the logs of a running shop tell what became of each order, as ``slipway logs --about`` finds it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from slipway_chassis.telemetry.levels import LOOK_SECONDS

from ..runtimes.local.layout import Layout
from ..runtimes.local.log_files import LogFile, log_files
from ..runtimes.local.log_lines import About, Line
from ..runtimes.local.state import replace_file

DETAILED = "LOG_LEVEL=DEBUG"


class Stories:
    """``logs``: those in which each order has to have a line, such as orders-worker and gateway. Lines from before are
    left out.
    """

    def __init__(self, layout: Layout, logs: Sequence[str]) -> None:
        self._layout, self._logs = layout, frozenset(logs)
        self._files: dict[str, LogFile] = {}
        self._lines: list[Line] = []
        for file in self._new():
            file.offset = file.path.stat().st_size

    def untold(self, orders: Sequence[str]) -> int:
        """Of how many orders one of the logs has no line by now."""
        self._new()
        for file in self._files.values():
            self._lines += file.read()
        return sum(not self._logs <= self._sources(order) for order in orders)

    def _sources(self, order: str) -> set[str]:
        about = About(order)
        about.learn(self._lines)
        return {line.source for line in self._lines if about.takes(line)}

    def _new(self) -> list[LogFile]:
        found = [file for file in log_files(self._layout) if file.source in self._logs - self._files.keys()]
        self._files |= {file.source: file for file in found}
        return found


@contextmanager
def in_detail(layout: Layout, logs: Sequence[str], services: Sequence[str]) -> Iterator[Stories]:
    """Lets the ``services`` of these logs tell each event, and what was set before comes back at the end."""
    files = [layout.levels(name) for name in services if any(log.startswith(f"{name}-") for log in logs)]
    before = [file.read_text() if file.exists() else "" for file in files]
    try:
        for file in files:
            file.parent.mkdir(exist_ok=True)
            replace_file(file, DETAILED)
        time.sleep(2 * LOOK_SECONDS)
        yield Stories(layout, logs)
    finally:
        for file, text in zip(files, before, strict=True):
            replace_file(file, text)
