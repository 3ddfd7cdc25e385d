"""The loops of one process: each in a thread of its own, ended one after the other, and never one without the others.

A process that went on with half of its loops would look healthy and do half of its work: so one loop that ends by
itself ends all of them, and the process with them, and whoever started the process starts it again.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ..errors import BrokerUnavailable, LoopEnded
from ..lifecycle import Stop

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
# After a loop failed the others have so long to finish what they have in hand.
STOP_TIMEOUT_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Loop:
    """``work`` goes on until the Stop it is given is requested, and puts what must be closed on the stack. It begins
    anew after BrokerUnavailable; anything else that it raises ends the process.
    """

    name: str
    work: Callable[[Stop, ExitStack], None]


def run_together(loops: Sequence[Loop], stop: Stop, *, stop_timeout: float = STOP_TIMEOUT_SECONDS) -> None:
    """Runs all until ``stop`` is requested, then ends them in their order: the next one is asked to end when the one
    before has ended. Raises LoopEnded when one ended by itself; then each other has ``stop_timeout`` seconds to end.
    """
    running_loops = [_Running(loop, stop) for loop in loops]
    for running in running_loops:
        running.thread.start()
    stop.wait()
    for running in running_loops:
        running.stop.request()
        running.thread.join(stop_timeout if any(other.failure for other in running_loops) else None)
    for running in running_loops:
        if running.failure:
            raise LoopEnded(
                f"the {running.loop.name} ended by itself, and the process with it: {running.failure!r}"
            ) from running.failure


class _Running:
    def __init__(self, loop: Loop, whole: Stop) -> None:
        self.loop = loop
        self.stop = Stop()
        self.failure: BaseException | None = None
        self._whole = whole
        # A daemon: one that hangs must not keep a process alive that has failed.
        self.thread = threading.Thread(target=self._run, name=loop.name, daemon=True)

    def _run(self) -> None:
        try:
            while not self.stop.requested:
                self._work()
        except BaseException as error:  # noqa: BLE001 # it is raised again, in the main thread
            self.failure = error
            log.error("the %s ended by itself: %r", self.loop.name, error)  # noqa: TRY400 # the main thread shows where
        finally:
            self._whole.request()

    def _work(self) -> None:
        try:
            with ExitStack() as closing:
                self.loop.work(self.stop, closing)
        except BrokerUnavailable as error:  # it went away between the check and the connection
            log.warning("the %s starts again: %s", self.loop.name, error)
            self.stop.wait(AGAIN_SECONDS)
        else:
            if not self.stop.requested:
                raise RuntimeError("it returned, and nobody had asked it to end")
