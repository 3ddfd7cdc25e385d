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
from collections import Counter as Calls
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
    """``most``: calls at a time. ``wait_seconds``: how long a further one may wait for its turn. ``each``: calls of one
    caller at a time, so that one of many can't take all places; None: as many as there are.
    """

    def __init__(self, name: str, *, most: int = 32, wait_seconds: float = 0.05, each: int | None = None) -> None:
        self.name = name
        self._most = most
        self._wait = wait_seconds
        self._places = threading.BoundedSemaphore(most)
        self._each = each
        self._of_callers: Calls[str] = Calls()
        self._lock = threading.Lock()

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def bounded(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.entering():
                return function(*args, **kwargs)

        return bounded

    @contextmanager
    def entering(self, caller: str = "") -> Iterator[None]:
        """The call as a block; BulkheadFull when no place came free within ``wait_seconds`` or the caller has its share
        (calls of nobody have none), DeadlineExceeded when the caller's time is over before.
        """
        with self._share_of(caller), self._place():
            yield

    @contextmanager
    def _share_of(self, caller: str) -> Iterator[None]:
        if self._each is None or not caller:
            yield
            return
        with self._lock:
            if self._of_callers[caller] >= self._each:
                REJECTED.labels(self.name).inc()
                raise BulkheadFull(f"{self.name}: {self._each} calls of this caller are under way already")
            self._of_callers[caller] += 1
        try:
            yield
        finally:
            with self._lock:
                self._of_callers -= Calls([caller])  # who has none left is forgotten

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=deadline.timeout(self._wait) if self._wait else 0):
            REJECTED.labels(self.name).inc()
            raise BulkheadFull(f"{self.name}: {self._most} calls are under way already")
        IN_FLIGHT.labels(self.name).inc()
        try:
            yield
        finally:
            IN_FLIGHT.labels(self.name).dec()
            self._places.release()
