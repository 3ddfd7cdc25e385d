"""Deadlines: how long the caller still waits, taken from its request and passed on with every call.

The header ``X-Request-Deadline`` is a point in time in seconds since 1970, as a decimal:
``1764010000.250``. gRPC has the same as its timeout. Work whose deadline is over is useless load, so
each step asks ``remaining`` and stops.

>>> with until(time.time() + 2.0):
...     timeout(default=5.0) <= 2.0
True
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .errors import DeadlineExceeded, UpstreamSilent

HEADER = "X-Request-Deadline"
# A caller that names a later time has a wrong clock or no idea: nobody waits longer for an answer.
FURTHEST_SECONDS = 300.0

# Of the time that an answer may usually take: who was given less may only have been asked too late.
REASONABLE = 0.5

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def parse(header: str, *, now: float) -> float:
    """The header's value, at most FURTHEST_SECONDS from ``now``; ValueError when it is no such number."""
    # float() also takes "inf", "nan", "1e9" and "1_0"
    if not header or len(header) > 20 or not header.replace(".", "", 1).isdigit() or not header.isascii():  # noqa: PLR2004
        raise ValueError(f"{HEADER} must be seconds since 1970, for example {now + 2:.3f}")
    return min(float(header), now + FURTHEST_SECONDS)


@contextmanager
def until(deadline: float | None) -> Iterator[None]:
    """The block's work ends at ``deadline``, or earlier where an outer deadline is nearer."""
    outer = _deadline.get()
    if deadline is None or (outer is not None and outer < deadline):
        deadline = outer
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def current() -> float | None:
    """The deadline in seconds since 1970, or None where nobody set one."""
    return _deadline.get()


def remaining() -> float | None:
    """Seconds until the deadline, negative when it is over; None where nobody set one."""
    deadline = _deadline.get()
    return None if deadline is None else deadline - time.time()


def timeout(default: float) -> float:
    """The seconds a call may take: ``default``, or less when the deadline is nearer; DeadlineExceeded when over."""
    left = remaining()
    if left is None:
        return default
    if left <= 0:
        raise DeadlineExceeded("the caller's deadline is over")
    return min(default, left)


def refuse_if_over(*, given: float, usual: float) -> None:
    """For a call that got no answer: DeadlineExceeded where the caller's time is over, and UpstreamSilent where the
    call had been given a reasonable part of the seconds that it may ``usual``ly take.
    """
    left = remaining()
    if left is None or left > 0:
        return
    if given >= usual * REASONABLE:
        raise UpstreamSilent(f"the caller's deadline is over, and there was no answer in {given:.1f} s")
    raise DeadlineExceeded("the caller's deadline is over")
