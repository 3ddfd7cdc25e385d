"""The gate that compares a version with the one before it: what it asks of Prometheus, and what it makes of it."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from slipway_operator.planning.observed import GateState
from slipway_operator.runtimes.kubernetes.api.kinds import Key
from slipway_operator.runtimes.kubernetes.gates.checks import Answer
from slipway_operator.runtimes.kubernetes.gates.traffic import Compared, analysed
from slipway_operator.spec.gates import AnalysisGate

GATE = AnalysisGate(address="http://prometheus:9090/")
SWITCHED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WHICH = Compared("0a1b2c3d", "11111111", SWITCHED)


class Prometheus:
    """Counts of two versions, by what a query is about; ``up`` only where pods are read."""

    def __init__(self, *, read=True, status=200, body=None, **errors):
        self.read, self.status, self.body, self.errors, self.asked = read, status, body, errors, []

    async def fetch(self, url, query):
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
