"""What a gate that asks by HTTP or of Prometheus makes of the answer."""

import asyncio

import pytest

from slipway_operator.planning.observed import GateState
from slipway_operator.runtimes.kubernetes.gates.checks import Answer, checked, preview_url
from slipway_operator.spec.gates import Gate
from slipway_operator.spec.microservice import ServicePort


class Says:
    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def fetch(self, url, query):
        self.asked.append((url, query))
        return self.answer


HTTP = {"name": "smoke", "type": "http", "http": {"path": "/readyz", "contains": "ok"}}
PROMETHEUS = {"name": "errors", "type": "prometheus", "prometheus": {
    "address": "http://prometheus:9090/", "query": 'rate{v="{{version}}"}', "min": 0, "max": 0.5}}  # fmt: skip


def vector(*values):
    results = ",".join(f'{{"value": [1, "{value}"]}}' for value in values)
    return Answer(200, f'{{"data": {{"resultType": "vector", "result": [{results}]}}}}')


@pytest.mark.parametrize(
    ("gate", "answer", "state", "said"),
    [
        (HTTP, Answer(200, "all ok"), GateState.PASSED, ""),
        (HTTP, Answer(500, ""), GateState.FAILED, "/readyz answered 500, not 200"),
        (HTTP, Answer(200, "no"), GateState.FAILED, "does not contain 'ok'"),
        (HTTP, None, GateState.INCONCLUSIVE, "was not answered within 5 s"),
        (PROMETHEUS, vector("0.1"), GateState.PASSED, "0.1"),
        (PROMETHEUS, vector("0.6"), GateState.FAILED, "0.6 is more than 0.5"),
        (PROMETHEUS, vector("-1"), GateState.FAILED, "-1 is less than 0"),
        (PROMETHEUS, vector(), GateState.INCONCLUSIVE, "no data"),
        (PROMETHEUS, vector("NaN"), GateState.INCONCLUSIVE, "no data"),
        (PROMETHEUS, vector("1", "2"), GateState.INCONCLUSIVE, "no data"),
        (PROMETHEUS, Answer(200, "<html>"), GateState.INCONCLUSIVE, "no data"),
        (PROMETHEUS, Answer(400, ""), GateState.INCONCLUSIVE, "Prometheus answered 400"),
        (PROMETHEUS, None, GateState.INCONCLUSIVE, "Prometheus did not answer"),
    ],
)
def test_what_a_gate_finds(gate, answer, state, said):
    says = Says(answer)
    found = asyncio.run(checked(Gate.model_validate(gate), says, version="0a1b2c3d", preview="http://p"))

    assert found[0] is state
    assert said in found[1]
    if gate is PROMETHEUS:
        assert says.asked == [("http://prometheus:9090/api/v1/query", {"query": 'rate{v="0a1b2c3d"}'})]


def test_the_preview_has_an_address():
    ports = (ServicePort(name="http", port=80), ServicePort(name="admin", port=8001))
    assert preview_url("orders", "shop", ports) == "http://orders-preview.shop.svc"
    assert preview_url("orders", "shop", ports, "admin") == "http://orders-preview.shop.svc:8001"
