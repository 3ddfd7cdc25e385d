"""What one run of a lesson counted, from the outcome of each request."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

GOOD = range(200, 400)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``status``: of the answer, 0 where none came. ``late``: the customer's patience was over before. ``partial``: the
    answer came and named parts that are missing. ``order``: id of the order that was accepted. ``key``: the
    Idempotency-Key, of requests that are one wish however often they were sent.
    """

    request: str
    milliseconds: float
    status: int = 0
    late: bool = False
    partial: bool = False
    order: str = ""
    key: str = ""

    @property
    def good(self) -> bool:
        """Whether it was answered in time, and not by an error."""
        return self.status in GOOD and not self.late


@dataclass(frozen=True, slots=True)
class Measured:
    """``counts`` by the names of ``relations.COUNTS``; ``p50``: milliseconds of each request, to be shown."""

    counts: Mapping[str, int]
    p50: Mapping[str, int] = field(default_factory=dict)
    orders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ByRequest:
    """What one kind of request was answered. ``late``: the patience was over before. ``p50``, ``p99``: milliseconds."""

    request: str
    answered: int
    refused: int
    late: int
    p50: int
    p99: int


def by_request(outcomes: Iterable[Outcome]) -> list[ByRequest]:
    """In the order in which they were first asked."""
    found: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        found[outcome.request].append(outcome)
    return [_one(request, each) for request, each in found.items()]


def _one(request: str, outcomes: Sequence[Outcome]) -> ByRequest:
    counts = measured(outcomes).counts
    times = sorted(outcome.milliseconds for outcome in outcomes)
    p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
    return ByRequest(request, counts["answered"], counts["refused"], counts["late"], round(median(times)), round(p99))


def measured(outcomes: Iterable[Outcome]) -> Measured:
    """Every request is in one of answered, refused and late; what is partial was answered."""
    counts = dict.fromkeys(("sent", "answered", "refused", "late", "partial"), 0)
    times: defaultdict[str, list[float]] = defaultdict(list)
    orders: list[str] = []
    for outcome in outcomes:
        counts["sent"] += 1
        counts["late" if outcome.late else "answered" if outcome.good else "refused"] += 1
        counts["partial"] += outcome.good and outcome.partial
        times[outcome.request].append(outcome.milliseconds)
        if outcome.good and outcome.order:
            orders.append(outcome.order)
    return Measured(counts, {request: round(median(each)) for request, each in times.items()}, tuple(orders))


def with_orders(before: Measured, confirmed: int) -> Measured:
    """``confirmed``: how many of the accepted orders were; the others' events are lost."""
    placed = len(before.orders)
    return with_counts(before, placed=placed, lost=placed - confirmed)


def with_counts(before: Measured, **counts: int) -> Measured:
    """Those of before, and these."""
    return Measured({**before.counts, **counts}, before.p50, before.orders)
