"""The changes of one order, as they happen.

There is nothing here that could tell of a change, so the orders service is asked again: soon after something
happened, more seldom while nothing does.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..domain.catalogue import Order

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """All in seconds. ``stream``: how long one stream lasts before the browser opens the next."""

    soonest: float = 0.4
    latest: float = 1.5
    growth: float = 1.3
    heartbeat: float = 10.0
    stream: float = 25.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The order's state; ``last`` when nothing will follow."""

    order: Order
    last: bool


class Beat:
    """Nothing happened: a sign of life, which also finds out that the browser has gone."""


def follow(
    first: Order,
    find: Callable[[], Order],
    *,
    clock: Callable[[], float],
    wait: Callable[[float], object],
    stopping: Callable[[], bool],
    pace: Pace = Pace(),
) -> Iterator[Seen | Beat]:
    """The state at once, then each change, until it is final, the time is over or the process stops.

    While the orders service is away it is asked again; when it says no, the stream ends.
    """
    known, spoken, pause = first, clock(), pace.soonest
    end = spoken + pace.stream
    yield Seen(known, known.final)
    while not known.final and not stopping() and clock() + pause <= end:
        wait(pause)
        found = _found(find, known)
        if found is None:
            return
        if (found.status, found.reason) != (known.status, known.reason):
            known, spoken, pause = found, clock(), pace.soonest
            yield Seen(known, known.final)
            continue
        pause = min(pace.latest, pause * pace.growth)
        if clock() - spoken >= pace.heartbeat:
            spoken = clock()
            yield Beat()


def _found(find: Callable[[], Order], known: Order) -> Order | None:
    """None where the orders service says no: the head of the answer is sent, so no status can tell it any more."""
    try:
        return find()
    except Exception as error:
        if getattr(error, "retriable", False):
            return known
        bug = error if not hasattr(error, "retriable") else None
        log.warning("a live page ends: %s: %s", type(error).__name__, error, exc_info=bug)
        return None
