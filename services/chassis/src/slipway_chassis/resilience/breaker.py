"""The circuit breaker: after some failures in a row, calls are refused for a while, then one may probe.

Own code because pybreaker 1.4 holds its lock while the guarded call runs: eight threads would wait for
each other at every call. The states are Nygard's ("Release It!").

>>> from slipway_chassis.errors import DependencyUnavailable, UpstreamUnavailable
>>> breaker = Breaker("payments", failure_threshold=1)
>>> @breaker
... def pay():
...     raise UpstreamUnavailable("no answer")
>>> for _ in range(2):
...     try:
...         pay()
...     except DependencyUnavailable as error:
...         print(type(error).__name__)
UpstreamUnavailable
CircuitOpen
"""

import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import ParamSpec, TypeVar

from prometheus_client import Counter, Gauge

from ..errors import CircuitOpen, DeadlineExceeded, DependencyUnavailable, NotTried, UpstreamSilent

BREAKER_STATE = Gauge("circuit_breaker_state", "State of the circuit breaker: 0 closed, 1 half-open, 2 open", ["name"])
REJECTED = Counter("circuit_breaker_rejected_total", "Calls rejected because the circuit breaker was open", ["name"])

P = ParamSpec("P")
T = TypeVar("T")


class State(Enum):
    """Of a circuit: calls pass, one call probes, or all are refused (Nygard, "Release It!")."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


_GAUGE = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


def others_fault(error: BaseException) -> bool:
    """Whether the other side failed. What was refused on this side says nothing about it."""
    return isinstance(error, DependencyUnavailable) and not isinstance(error, NotTried)


_breakers: "weakref.WeakValueDictionary[str, Breaker]" = weakref.WeakValueDictionary()


def breaker_states() -> dict[str, str]:
    """The state of each breaker of this process, for ``/readyz``."""
    return {name: breaker.state.value for name, breaker in sorted(_breakers.items())}


class Breaker:
    """Use it as a decorator, by ``call``, or as a block by ``guarding``.

    Attributes:
        name: of the dependency; it stands in metrics, in ``/readyz`` and in the text of CircuitOpen.
        failure_threshold: so many failures in a row open the circuit.
        reset_timeout: seconds that it stays open before one call may probe.
        counts: which errors are the other side's fault; the rest are answers, and answers are fine.
        clock: gives seconds; for tests.
    """

    def __init__(
        self,
        name: str,
        *,
        failure_threshold: int = 3,
        reset_timeout: float = 30.0,
        counts: Callable[[BaseException], bool] = others_fault,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._threshold = failure_threshold
        self._reset_timeout = reset_timeout
        self._counts = counts
        self._clock = clock
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._failures = 0
        self._since = clock()
        # Calls carry the number of the period they began in: a slow call of an earlier period says
        # nothing about this one.
        self._period = 0
        _breakers[name] = self
        BREAKER_STATE.labels(name).set(0)

    @property
    def state(self) -> State:
        """As the last call left it: an open circuit becomes half-open with the first call after ``reset_timeout``."""
        return self._state

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.guarding():
                return function(*args, **kwargs)

        return guarded

    def call(self, function: Callable[[], T], *, fallback: Callable[[], T] | None = None) -> T:
        """The function's result; ``fallback`` answers instead when the circuit is open or the call fails."""
        try:
            with self.guarding():
                return function()
        except Exception as error:
            if fallback is None or not (isinstance(error, NotTried) or self._counts(error)):
                raise
            return fallback()

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """The call as a block. CircuitOpen before it begins while the circuit is open; what the block raises is counted
        (see ``counts``) and goes on. DeadlineExceeded counts as neither success nor failure, since our caller's
        patience says nothing of the other side; UpstreamSilent is a failure. NotTried is neither: nobody was asked.
        """
        period = self._enter()
        try:
            yield
        except UpstreamSilent:
            self._leave(period, failed=True)
            raise
        except (DeadlineExceeded, NotTried):
            self._leave_unknown(period)
            raise
        except BaseException as error:
            self._leave(period, failed=self._counts(error))
            raise
        self._leave(period, failed=False)

    def _enter(self) -> int:
        with self._lock:
            # A probe that never came back (its thread died) must not block the circuit for ever: when
            # the time is over once more, the next call probes.
            if self._state is not State.CLOSED:
                self._refuse_before_reset()
                self._move(State.HALF_OPEN)
            return self._period

    def _leave(self, period: int, *, failed: bool) -> None:
        with self._lock:
            if period != self._period:
                return
            if not failed:
                self._failures = 0
                if self._state is not State.CLOSED:
                    self._move(State.CLOSED)
                return
            self._failures += 1
            if self._state is State.HALF_OPEN or self._failures >= self._threshold:
                self._move(State.OPEN)

    def _leave_unknown(self, period: int) -> None:
        with self._lock:
            if period == self._period and self._state is State.HALF_OPEN:
                self._move(State.OPEN)
                self._since -= self._reset_timeout  # the next call probes

    def refuse_if_open(self) -> None:
        """CircuitOpen while the circuit is open. For what can't report its end, such as a stream."""
        with self._lock:
            if self._state is State.OPEN:
                self._refuse_before_reset()

    def _refuse_before_reset(self) -> None:
        left = self._reset_timeout - (self._clock() - self._since)
        if left > 0:
            REJECTED.labels(self.name).inc()
            raise CircuitOpen(f"{self.name}: the circuit is open, tried again in {left:.1f} s")

    def _move(self, state: State) -> None:
        self._state = state
        self._since = self._clock()
        self._period += 1
        self._failures = 0
        BREAKER_STATE.labels(self.name).set(_GAUGE[state])
