"""The gate that compares a version with the one before it: its statistics, and what it asks of Prometheus."""

import asyncio
import json
from datetime import UTC, datetime
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_operator.planning.analysis import Limits, Traffic, by_chance, p99, told, worse
from slipway_operator.planning.observed import GateState
from slipway_operator.runtimes.kubernetes.analysing import Compared, analysed
from slipway_operator.runtimes.kubernetes.checking import Answer
from slipway_operator.runtimes.kubernetes.looking import Key
from slipway_operator.spec.gates import AnalysisGate

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


# --- what Prometheus is asked
GATE = AnalysisGate(address="http://prometheus:9090/")
SWITCHED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WHICH = Compared("0a1b2c3d", "11111111", SWITCHED)


class Prometheus:
    """Counts of two versions, by what a query is about; ``up`` only where pods are read."""

    def __init__(self, *, read=True, status=200, body=None, **errors):
        self.read, self.status, self.body, self.errors, self.asked = read, status, body, errors, []

    async def ask(self, url, query):
        self.asked.append((url, query))
        if self.body is not None:
            return Answer(self.status, self.body)
        version = "new" if "0a1b2c3d" in query["query"] else "old"
        failed = self.errors.get(version, 0)
        if query["query"].startswith("up"):
            rows = [("slipway_dev_version", "0a1b2c3d", 1)] if self.read else []
        elif "(status)" in query["query"]:
            rows = [("status", "200", 1000 - failed), ("status", "503", failed), ("status", "404", "NaN")]
        else:
            rows = [("le", "0.1", 1000), ("le", "+Inf", 1000)]
        result = [{"metric": {name: label}, "value": [1, str(value)]} for name, label, value in rows]
        return Answer(200, json.dumps({"data": {"resultType": "vector", "result": result}}))


def asked(prometheus, which=WHICH):
    return asyncio.run(analysed(GATE, prometheus, Key("shop", "orders"), which))


@pytest.mark.parametrize(
    ("prometheus", "state", "said"),
    [
        (Prometheus(), GateState.PASSED, "1000 requests, 0.0% failed (before: 1000, 0.0%)"),
        (Prometheus(new=80), GateState.FAILED, "8.0% of 1000 requests failed, 0.0% of 1000 before"),
        (Prometheus(new=80, old=80), GateState.PASSED, "8.0% failed"),
        (Prometheus(read=False), GateState.INCONCLUSIVE, "Prometheus reads no pod of it"),
        (Prometheus(status=503, body=""), GateState.INCONCLUSIVE, "Prometheus answered 503"),
        (Prometheus(body="<html>"), GateState.INCONCLUSIVE, "is no result of a query"),
        (
            Prometheus(body='{"data": {"result": [{"metric": {}, "value": [1, "1"]}]}}'),
            GateState.INCONCLUSIVE,
            "no result",
        ),
        (Prometheus(body="[]"), GateState.INCONCLUSIVE, "no result"),
    ],
)
def test_what_the_gate_finds(prometheus, state, said):
    found = asked(prometheus)

    assert found[0] is state
    assert said in found[1]


def test_the_former_version_is_asked_for_the_time_before_the_switch():
    prometheus = Prometheus()
    asked(prometheus)

    assert {url for url, _ in prometheus.asked} == {"http://prometheus:9090/api/v1/query"}
    assert {(("11111111" in query["query"]), query.get("time")) for _, query in prometheus.asked} == {
        (True, SWITCHED.isoformat()),
        (False, None),
    }
    pods = '{namespace="shop",slipway_dev_microservice="orders",slipway_dev_version="0a1b2c3d"}'
    assert f"sum by (le) (increase(flask_http_request_duration_seconds_bucket{pods}[60s]))" in {
        query["query"] for _, query in prometheus.asked
    }


def test_a_first_version_has_nothing_before_it():
    assert asked(Prometheus(), Compared("0a1b2c3d", None, None)) == (GateState.PASSED, "1000 requests, 0.0% failed")
