"""The bulkhead: at most so many calls to one dependency at a time, so that a slow one can't take all threads.

>>> from slipway_chassis.errors import BulkheadFull
>>> bulkhead = Bulkhead("payments", most=1, wait_seconds=0)
>>> with bulkhead.entering():
...     try:
...         with bulkhead.entering():
...             pass
...     except BulkheadFull as error:
...         print(error)
payments: 1 calls are under way already
"""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from prometheus_client import Counter, Gauge

from .. import deadline
from ..errors import BulkheadFull

IN_FLIGHT = Gauge("bulkhead_calls", "Calls in flight", ["name"])
REJECTED = Counter("bulkhead_rejected_total", "Calls rejected because too many were in flight", ["name"])

P = ParamSpec("P")
T = TypeVar("T")


class Bulkhead:
    """``most``: calls at a time. ``wait_seconds``: how long a further one may wait for its turn."""

    def __init__(self, name: str, *, most: int = 32, wait_seconds: float = 0.05) -> None:
        self.name = name
        self._most = most
        self._wait = wait_seconds
        self._places = threading.BoundedSemaphore(most)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def bounded(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.entering():
                return function(*args, **kwargs)

        return bounded

    @contextmanager
    def entering(self) -> Iterator[None]:
        """The call as a block; BulkheadFull when no place came free within ``wait_seconds``, DeadlineExceeded when the
        caller's time is over before.
        """
        if not self._places.acquire(timeout=deadline.timeout(self._wait) if self._wait else 0):
            REJECTED.labels(self.name).inc()
            raise BulkheadFull(f"{self.name}: {self._most} calls are under way already")
        IN_FLIGHT.labels(self.name).inc()
        try:
            yield
        finally:
            IN_FLIGHT.labels(self.name).dec()
            self._places.release()
