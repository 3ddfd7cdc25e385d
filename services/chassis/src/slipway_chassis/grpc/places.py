"""How many calls are answered at a time: those that are whole. An unfinished one holds a thread that only waits, and no
place.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .. import deadline
from ..errors import ChassisError, DeadlineExceeded


class TooManyCalls(ChassisError):
    """So many calls wait for a place already that this one's deadline would pass among them."""

    retriable = True


class Places:
    """``working`` calls at a time, and no more than ``waiting`` others that are whole."""

    def __init__(self, *, working: int, waiting: int) -> None:
        self._places = threading.BoundedSemaphore(working)
        self._present = threading.BoundedSemaphore(working + waiting)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """TooManyCalls at once, or DeadlineExceeded when no place came free in the caller's time."""
        if not self._present.acquire(blocking=False):
            raise TooManyCalls("As many calls as can be answered in time are waiting already. Try again.")
        try:
            if not self._places.acquire(timeout=deadline.timeout(deadline.FURTHEST_SECONDS)):
                raise DeadlineExceeded("the caller's deadline is over")
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._present.release()
