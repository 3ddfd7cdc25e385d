"""Retries with full jitter and a budget: at most 20 % extra load, however much fails.

Without a budget three tries treble the load on what is failing already, which keeps it down. Each first
try earns a fifth of a retry. https://sre.google/sre-book/addressing-cascading-failures/

>>> budget = RetryBudget()
>>> [budget.take() for _ in range(2)]
[False, False]
>>> for _ in range(5):
...     budget.earn()
>>> [budget.take() for _ in range(2)]
[True, False]
"""

import functools
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prometheus_client import Counter
from tenacity import RetryCallState, Retrying, stop_after_attempt
from tenacity.wait import wait_random_exponential

from .. import deadline
from ..errors import NotTried

RETRIES = Counter("retries_total", "Retried calls", ["name"])
REFUSED = Counter("retries_refused_total", "Calls not retried because the retry budget was exhausted", ["name"])

P = ParamSpec("P")
T = TypeVar("T")


class RetryBudget:
    """``ratio``: retries per first try. ``reserve``: how many retries a calm time may save up."""

    def __init__(self, ratio: float = 0.2, *, reserve: int = 10) -> None:
        self._parts = round(1 / ratio)  # whole numbers: no rounding lets one more through
        self._most = reserve * self._parts
        self._earned = 0
        self._lock = threading.Lock()

    def earn(self) -> None:
        """To be called once per first try."""
        with self._lock:
            self._earned = min(self._most, self._earned + 1)

    def take(self) -> bool:
        """Whether one retry is paid for; takes it from the budget."""
        with self._lock:
            if self._earned < self._parts:
                return False
            self._earned -= self._parts
            return True


def is_retriable(error: BaseException) -> bool:
    """Whether another try may help. What was refused on this side would be refused again at once."""
    return bool(getattr(error, "retriable", False)) and not isinstance(error, NotTried)


class Retry:
    """Tries again what failed with a retriable error. Only for calls that may safely run twice.

    Attributes:
        attempts: tries in all, the first included.
        base_seconds: the first pause is a random time of at most this, each further one of at most twice the former.
        most_seconds: no pause is longer.
        budget: shared by those who call the same dependency; its own where none is given.
        sleep: for tests.
    """

    def __init__(
        self,
        name: str,
        *,
        attempts: int = 3,
        base_seconds: float = 0.05,
        most_seconds: float = 2.0,
        budget: RetryBudget | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.name = name
        self.budget = budget or RetryBudget()
        self._wait = wait_random_exponential(multiplier=base_seconds, max=most_seconds)
        self._attempts = stop_after_attempt(attempts)
        self._options: dict[str, Any] = {"sleep": sleep} if sleep else {}

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def retrying(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.call(lambda: function(*args, **kwargs))

        return retrying

    def call(self, function: Callable[[], T]) -> T:
        """The function's result. It is called again after errors whose ``retriable`` is true, as often as ``attempts``,
        the budget and the caller's deadline allow; then its last error is raised as it is.
        """
        self.budget.earn()
        retrying = Retrying(wait=self._wait, stop=self._stop, retry=self._failed, reraise=True, **self._options)
        return retrying(function)

    @staticmethod
    def _failed(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        return error is not None and is_retriable(error)

    def _stop(self, state: RetryCallState) -> bool:
        if self._attempts(state):
            return True
        left = deadline.remaining()
        if left is not None and left <= state.upcoming_sleep:
            return True
        if not self.budget.take():
            REFUSED.labels(self.name).inc()
            return True
        RETRIES.labels(self.name).inc()
        return False
