"""Questions side by side, in threads that a slow back end can't use up.

Each part has so many places, and the pool a thread for every place: nothing queues, and a part whose places
are all taken is missing at once. A question that outlives its round keeps its place, and no more than that,
until its own time limit ends it.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from typing import Never, TypeVar

from prometheus_client import Counter

from slipway_chassis import deadline
from slipway_chassis.errors import BulkheadFull
from slipway_chassis.resilience import Bulkhead

from ..domain.home import Part
from ..errors import Late

PARTS = Counter("storefront_parts_total", "Parts of home pages by outcome", ["part", "outcome"])

T = TypeVar("T")


class Rounds:
    def __init__(self, parts: Iterable[Part], *, seconds: float, places: int) -> None:
        self._places = {part: Bulkhead(f"home-{part}", most=places, wait_seconds=0) for part in parts}
        self._pool = ThreadPoolExecutor(places * len(self._places), thread_name_prefix="home")
        self._seconds = seconds

    def begin(self) -> "TimedRound":
        """Its time begins now, and ends with the request's deadline where that is nearer."""
        return TimedRound(self._pool, self._places, time.monotonic() + deadline.timeout(self._seconds))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class TimedRound:
    def __init__(self, pool: ThreadPoolExecutor, places: dict[Part, Bulkhead], end: float) -> None:
        self._pool = pool
        self._places = places
        self._end = end

    def ask(self, part: Part, question: Callable[[], T]) -> Callable[[], T]:
        place = ExitStack()
        try:
            place.enter_context(self._places[part].entering())
        except BulkheadFull as error:
            return _refusing(part, error)
        # Deadline, trace and principal are context variables: the thread gets a copy of them.
        future = self._pool.submit(copy_context().run, question)
        future.add_done_callback(lambda _: place.close())
        return lambda: self._answer(part, future)

    def _answer(self, part: Part, future: "Future[T]") -> T:
        outcome = "failed"
        try:
            answer = future.result(max(0.0, self._end - time.monotonic()))
            outcome = "answered"
        except TimeoutError:
            outcome = "late"
            raise Late(f"{part} was not there in time") from None
        finally:
            PARTS.labels(part, outcome).inc()
        return answer


def _refusing(part: Part, error: BulkheadFull) -> Callable[[], Never]:
    def refuse() -> Never:
        PARTS.labels(part, "refused").inc()
        raise error

    return refuse
