"""How a process waits, how it stops, how it lets go of its clients: one Stop, set by SIGTERM or SIGINT."""

import contextlib
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType

from .errors import DependencyUnavailable

log = logging.getLogger(__name__)
# A look costs 20 microseconds; the kubelet itself needs some 0.3 s to write the file.
LOOK_SECONDS = 0.2


class Stop:
    """A request to stop that loops ask for and waits can be woken by.

    A signal's handler may run between any two steps of the main thread, so it takes no lock and writes no line: an
    Event would wait for ever for the lock that its own thread holds in ``wait``. ``SimpleQueue.put`` is made for this.
    """

    def __init__(self) -> None:
        self._requested = False
        self._signal: int | None = None
        self._wake: SimpleQueue[None] = SimpleQueue()

    def install(self) -> "Stop":
        """Listens to SIGTERM and SIGINT. Call it in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        self.request()

    def request(self) -> None:
        """Asks the loops to end; as SIGTERM does."""
        self._requested = True
        self._wake.put(None)

    @property
    def requested(self) -> bool:
        """Whether a stop was requested; it stays so."""
        if (number := self._signal) is not None:
            self._signal = None
            log.info("stopping on %s", signal.Signals(number).name)
        return self._requested

    def wait(self, seconds: float | None = None) -> bool:
        """Sleeps (None: for ever), but wakes up at once when a stop is requested; returns whether it was."""
        if not self._requested:
            with contextlib.suppress(Empty):
                self._wake.get(timeout=None if seconds is None else max(seconds, 0))
                self._wake.put(None)  # for the next one who waits
        return self.requested


class DrainSignal:
    """True while ``file`` says ``true``: others get the new requests, and this process stays up for a way back.

    So kept-alive connections shall end and streams come to an end, and nothing else changes: it is as ready as
    before. The file is opened by its name at each look, since the kubelet replaces it by a symbolic link.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._looked: float | None = None
        self._said = False

    def __call__(self) -> bool:
        now = self._clock()
        if self._looked is None or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._hear(self._read() == b"true")
        return self._said

    def _read(self) -> bytes:
        try:
            with self._file.open("rb") as file:
                return file.read(8).strip()
        except OSError:  # no such file: nobody manages this process
            return b""

    def _hear(self, said: bool) -> None:  # noqa: FBT001 # the one thing that is heard
        if said != self._said:
            log.info("draining: idle connections are closed" if said else "no longer draining: connections are kept")
        self._said = said


def wait_for(what: str, ready: Callable[[], object], stop: Stop, *, retry_seconds: float = 1.0) -> bool:
    """Calls ``ready`` until it raises no DependencyUnavailable; False when stopped before that.

    Logs the first failure and then one line every ten tries, so that a log shows what is missing
    without being filled by it.
    """
    attempts = 0
    while not stop.requested:
        try:
            ready()
        except DependencyUnavailable as error:
            if attempts % 10 == 0:
                log.warning("waiting for %s: %s", what, error)
            attempts += 1
            stop.wait(retry_seconds)
        else:
            if attempts:
                log.info("connected to %s after %d attempts", what, attempts)
            return True
    return False
