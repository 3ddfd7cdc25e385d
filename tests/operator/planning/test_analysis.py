"""The comparison of a version with the one before it: its statistics, and what is told of it."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_operator.planning.analysis import Limits, Traffic, by_chance, p99, told, worse

BOUNDS = (0.1, 0.25, 0.5, 1.0, float("inf"))


def traffic(requests, errors=0, slow=0):
    """``slow`` take between 0.5 and 1 s, the others at most 0.1 s."""
    fast = requests - slow
    return Traffic(requests, errors, dict(zip(BOUNDS, (fast, fast, fast, requests, requests), strict=True)))


@pytest.mark.parametrize(
    ("candidate", "baseline", "because"),
    [
        (traffic(1000, errors=5), traffic(1000, errors=5), ""),
        (traffic(1000, errors=100), traffic(1000, errors=100), ""),  # broken before, and no worse
        (traffic(1000, errors=50), traffic(1000, errors=1), "5.0% of 1000 requests failed, 0.1% of 1000 before"),
        (traffic(3, errors=1), traffic(1000), ""),  # low traffic: chance
        (traffic(20, errors=20), traffic(1000), "100.0% of 20 requests failed"),  # and yet no doubt here
        (traffic(5, errors=5), Traffic(), "100.0% of 5 requests failed, 0.0% of 0 before"),  # a first version
        (traffic(0), traffic(1000), ""),
        (traffic(1000, slow=100), traffic(1000, slow=1), "10.0% of 1000 requests took longer than 0.25 s; p99 was 0.0"),
        (traffic(1000, slow=100), traffic(1000, slow=100), ""),
        (traffic(40, slow=1), traffic(1000), ""),  # low traffic: chance
        (traffic(1000, slow=500), traffic(50), ""),  # nobody knows what p99 was
        (traffic(1000, slow=500), Traffic(1000, 0, {float("inf"): 1000}), ""),  # nor here: it is not counted
    ],
)
def test_what_is_worse(candidate, baseline, because):
    assert worse(candidate, baseline, Limits()).startswith(because)
    assert bool(worse(candidate, baseline, Limits())) == bool(because)


def test_limits_are_people_s_to_set():
    assert worse(traffic(1000, errors=50), traffic(1000), Limits(error_increase=0.1)) == ""
    assert worse(traffic(1000, slow=100), traffic(1000), Limits(latency_factor=10)) == ""
    assert worse(traffic(1000, slow=100), traffic(1000), Limits(latency_factor=5)) != ""


def test_p99_is_what_prometheus_says():
    assert p99(traffic(1000, slow=5)) == pytest.approx(0.1 * 990 / 995)
    assert p99(traffic(1000, slow=100)) == pytest.approx(0.5 + 0.5 * 90 / 100)
    assert p99(traffic(99)) is None


counts = st.integers(0, 100_000)


@pytest.mark.parametrize(("some", "of", "share"), [(3, 5, 0.2), (1, 3, 0.01), (8, 8, 0.5), (30, 1000, 0.02), (2, 5, 0)])
def test_chance_is_the_sum_of_all_that_is_as_bad_or_worse(some, of, share):
    exact = sum(comb(of, each) * share**each * (1 - share) ** (of - each) for each in range(some, of + 1))
    assert by_chance(some, of, share) == pytest.approx(exact)


@given(counts, counts, st.floats(0, 1))
def test_chance_is_a_probability(some, of, share):
    assert 0 <= by_chance(min(some, of), of, share) <= 1 + 1e-6


@given(counts, st.floats(0, 1), st.floats(0, 1))
def test_no_version_is_worse_than_itself(requests, failing, slow):
    same = traffic(requests, errors=int(requests * failing), slow=int(requests * slow))
    assert worse(same, same, Limits(error_increase=0, latency_factor=1)) == ""


@given(st.integers(1, 10_000), counts, st.integers(0, 10_000))
def test_more_failures_are_never_better(requests, errors, more):
    errors = min(errors, requests)
    baseline = traffic(1000, errors=10)
    if worse(traffic(requests, errors=errors), baseline, Limits()):
        assert worse(traffic(requests, errors=min(errors + more, requests)), baseline, Limits())


def test_what_was_compared_is_told():
    assert told(traffic(0), traffic(10)) == "no requests yet: nothing to compare"
    assert told(traffic(1240, errors=2), traffic(1000)) == "1240 requests, 0.2% failed (before: 1000, 0.0%)"
    assert told(traffic(7), Traffic()) == "7 requests, 0.0% failed"
