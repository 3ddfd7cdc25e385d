"""Breaker, retry and bulkhead together, around one dependency.

>>> guard = Guard("payments")
>>> guard.call(lambda: "paid")
'paid'
"""

from collections.abc import Callable
from typing import TypeVar

from .breaker import Breaker
from .bulkhead import Bulkhead
from .retry import Retry

T = TypeVar("T")


class Guard:
    """One per dependency and process; ``name`` is the dependency's."""

    def __init__(
        self,
        name: str,
        *,
        breaker: Breaker | None = None,
        retry: Retry | None = None,
        bulkhead: Bulkhead | None = None,
    ) -> None:
        self.breaker = breaker or Breaker(name)
        self.retry = retry or Retry(name)
        self.bulkhead = bulkhead or Bulkhead(name)

    def call(self, function: Callable[[], T], *, safe_to_repeat: bool = True) -> T:
        """The function's result. An open circuit is not tried again: its answer would be the same."""
        if not safe_to_repeat:
            self.retry.budget.earn()
            return self._once(function)
        return self.retry.call(lambda: self._once(function))

    def _once(self, function: Callable[[], T]) -> T:
        # An open circuit refuses at once, and does not wait for a place first.
        with self.breaker.guarding(), self.bulkhead.entering():
            return function()
