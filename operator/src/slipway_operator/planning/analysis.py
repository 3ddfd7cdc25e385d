"""Is a new version worse than the one before it? Shares of requests are compared, with the doubt their number leaves.

Only what chance hardly explains counts (the exact binomial test): one failed request of three proves nothing, three of
three do. So low traffic stops no release by chance, and needs no setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, inf, lgamma, log

# Less likely than this is no chance. It is small, since a watch compares many times.
CHANCE = 0.005
_P99 = 0.99
# With fewer requests nobody knows the slowest of a hundred.
ENOUGH_FOR_P99 = 100


@dataclass(frozen=True, slots=True)
class Traffic:
    requests: float = 0
    errors: float = 0  # answered with 5xx
    within: Mapping[float, float] = field(default_factory=dict)  # requests that took at most so many seconds

    @property
    def error_share(self) -> float:
        return self.errors / self.requests if self.requests else 0


@dataclass(frozen=True, slots=True)
class Limits:
    error_increase: float = 0.01  # share of requests
    latency_factor: float = 1.5  # of the p99


def worse(candidate: Traffic, baseline: Traffic, limits: Limits) -> str:
    """Why the candidate must not stay; empty: nothing is proved against it."""
    return _fails_more(candidate, baseline, limits) or _slower(candidate, baseline, limits)


def told(candidate: Traffic, baseline: Traffic) -> str:
    """What was compared, for people."""
    if not candidate.requests:
        return "no requests yet: nothing to compare"
    said = f"{candidate.requests:.0f} requests, {candidate.error_share:.1%} failed"
    if baseline.requests:
        said += f" (before: {baseline.requests:.0f}, {baseline.error_share:.1%})"
    return said


def _fails_more(candidate: Traffic, baseline: Traffic, limits: Limits) -> str:
    allowed = baseline.error_share + limits.error_increase
    if by_chance(candidate.errors, candidate.requests, allowed) >= CHANCE:
        return ""
    return (
        f"{candidate.error_share:.1%} of {candidate.requests:.0f} requests failed, "
        f"{baseline.error_share:.1%} of {baseline.requests:.0f} before"
    )


def _slower(candidate: Traffic, baseline: Traffic, limits: Limits) -> str:
    before = p99(baseline)
    if before is None:
        return ""
    # The nearest bound that was counted, to the candidate's favour.
    slow = min((bound for bound in candidate.within if bound >= before * limits.latency_factor), default=inf)
    if slow == inf:
        return ""
    slower = candidate.requests - candidate.within[slow]
    if by_chance(slower, candidate.requests, 1 - _P99) >= CHANCE:
        return ""
    share = slower / candidate.requests
    return (
        f"{share:.1%} of {candidate.requests:.0f} requests took longer than {slow:g} s; p99 was {before:.3g} s before"
    )


def p99(traffic: Traffic) -> float | None:
    """Seconds, between two counted bounds as Prometheus' histogram_quantile has it; None where they do not tell."""
    if traffic.requests < ENOUGH_FOR_P99:
        return None
    rank, lower, below = traffic.requests * _P99, 0.0, 0.0
    for bound, count in sorted(traffic.within.items()):
        if count >= rank:
            return None if bound == inf else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return None


def by_chance(some: float, of: float, share: float) -> float:
    """How likely so many or more of them are, when each is one with the probability ``share``."""
    count, total = int(some), round(of)
    if count <= total * share:  # no more than to be expected
        return 1
    if share <= 0:
        return 0
    odds = share / (1 - share)
    term = exp(_log_choose(total, count) + count * log(share) + (total - count) * log(1 - share))
    found = term
    # Beyond the expected number each term is smaller than the one before it.
    while count < total and term > found * 1e-9:
        term *= (total - count) / (count + 1) * odds
        count += 1
        found += term
    return found


def _log_choose(total: int, count: int) -> float:
    return lgamma(total + 1) - lgamma(count + 1) - lgamma(total - count + 1)
