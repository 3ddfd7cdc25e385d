"""How a process waits and how it stops: one Stop per process, set by SIGTERM or SIGINT."""

import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType

from .errors import DependencyUnavailable

log = logging.getLogger(__name__)


class Stop:
    """A request to stop that loops ask for and waits can be woken by."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def install(self) -> "Stop":
        """Listens to SIGTERM and SIGINT. Call it in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        log.info("stopping on %s", signal.Signals(number).name)
        self._event.set()

    def request(self) -> None:
        self._event.set()

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleeps, but wakes up at once when a stop is requested; returns whether it was."""
        return self._event.wait(seconds)


def wait_for(what: str, ready: Callable[[], object], stop: Stop, *, retry_seconds: float = 1.0) -> bool:
    """Calls ``ready`` until it raises no DependencyUnavailable; False when stopped before that.

    Logs the first failure and then one line every ten tries, so that a log shows what is missing
    without being filled by it.
    """
    tries = 0
    while not stop.requested:
        try:
            ready()
        except DependencyUnavailable as error:
            if tries % 10 == 0:
                log.warning("waiting for %s: %s", what, error)
            tries += 1
            stop.wait(retry_seconds)
        else:
            if tries:
                log.info("%s is there after %d tries", what, tries)
            return True
    return False
