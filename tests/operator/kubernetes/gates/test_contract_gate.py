"""The contract gate over real admin ports: what pods show, who relies on what, and what nobody can tell."""

import asyncio
import json
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from wsgiref.simple_server import make_server

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import ThreadingWSGIServer

from slipway_chassis.telemetry.admin import _Silent, admin_app
from slipway_chassis.telemetry.health import Health
from slipway_contracts import Contracts
from slipway_contracts.stored_contracts import contracts_in
from slipway_operator.planning.observed import GateState
from slipway_operator.runtimes.kubernetes.api.kinds import (
    MICROSERVICE,
    SERVICE_LABEL,
    SERVING_LABEL,
    VERSION_LABEL,
    Key,
)
from slipway_operator.runtimes.kubernetes.gates.api_usage import calls_in
from slipway_operator.runtimes.kubernetes.gates.contract_gate import compared
from slipway_operator.runtimes.kubernetes.gates.pod_requests import content
from slipway_operator.spec.gates import ContractsGate
from support.judges import JudgeInProcess
from support.repository import ROOT

SERVICES = ROOT / "services"
OLD, NEW = "aaaaaaaa", "bbbbbbbb"


def contracts(name, change=None):
    """Those of a service of the shop, changed and with an index that fits again."""
    files = {
        path: content for path, content in contracts_in(SERVICES / name / "contracts").items() if path != "index.json"
    }
    if change:
        change(files)
    made = Contracts(name, files)
    return files | {"index.json": made.index()}


def without(path, *place):
    """The file with one entry less."""

    def change(files):
        document = json.loads(files[path])
        parent = document
        for each in place[:-1]:
            parent = parent[each]
        del parent[place[-1]]
        files[path] = json.dumps(document).encode()

    return change


def hours_ago(hours):
    return (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Namespace:
    """Pods with admin ports on this machine; the API server's part is to list them."""

    def __init__(self):
        self.pods, self.services, self.open = [], [], ExitStack()

    async def list(self, kind, namespace, *, selector=""):
        return self.services if kind is MICROSERVICE else self.pods

    def microservice(self, name, active):
        self.services.append({"metadata": {"name": name}, "status": {"activeVersion": active}})

    def pod(self, service, version, files, *, ready=True, calls=None, hours=26):
        """``hours``: how long ago its containers began."""
        registry = CollectorRegistry()
        if calls is not None:
            used = Counter("http_api_requests_total", "", ["version", "deprecated"], registry=registry)
            for name, count in calls.items():
                used.labels(name, "true").inc(count)
        server = make_server(
            "127.0.0.1", 0, admin_app(Health({}), registry, files), ThreadingWSGIServer, handler_class=_Silent
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.open.callback(server.server_close)
        self.open.callback(server.shutdown)
        labels = {SERVICE_LABEL: service, VERSION_LABEL: version, SERVING_LABEL: "true"}
        port = {"name": "admin", "containerPort": server.server_port}
        self.pods.append(
            {
                "metadata": {"name": f"{service}-{version}", "labels": labels},
                "spec": {"containers": [{"ports": [port]}]},
                "status": {
                    "podIP": "127.0.0.1",
                    "conditions": [{"type": "Ready", "status": str(ready)}],
                    "containerStatuses": [{"state": {"running": {"startedAt": hours_ago(hours)}}}],
                },
            }
        )

    def judged(self, service="orders", active=OLD, judge=None, **gate):
        pods = [each for each in self.pods if each["metadata"]["labels"][SERVICE_LABEL] == service]
        return asyncio.run(
            compared(
                self,
                judge or JudgeInProcess(),
                ContractsGate(**gate),
                Key("shop", service),
                pods=pods,
                active=active,
                candidate=NEW,
            )
        )


@contextmanager
def _namespace():
    made = Namespace()
    with made.open:
        yield made


@pytest.fixture(name="shop")
def _shop():
    """orders with its active version, and the storefront that relies on it."""
    with _namespace() as shop:
        for name in ("orders", "storefront"):
            shop.microservice(name, OLD)
            shop.pod(name, OLD, contracts(name))
        yield shop


def order_schema():
    """The name of the schema that GET /v1/orders/{id} answers."""
    document = json.loads((SERVICES / "orders/contracts/openapi.v1.json").read_text())
    operation = next(item["get"] for path, item in document["paths"].items() if path.startswith("/v1/orders/{"))
    return operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]


def test_the_same_promises_pass_and_their_digests_are_kept(shop):
    shop.pod("orders", NEW, contracts("orders"))
    found = shop.judged()

    assert (found.state, found.message) == (GateState.PASSED, "nothing changed")
    assert found.digests.keys() == contracts("orders").keys() - {"index.json"}


def test_what_breaks_others_stops_and_names_the_place_and_who_relies_on_it(shop):
    gone = without("openapi.v1.json", "components", "schemas", order_schema(), "properties", "status")
    shop.pod("orders", NEW, contracts("orders", gone))
    found = shop.judged()

    assert found.state is GateState.FAILED
    assert "status" in found.message
    assert "storefront calls" in shop.judged().message


def test_a_path_that_is_gone_stops_it(shop):
    shop.pod("orders", NEW, contracts("orders", without("openapi.v1.json", "paths", "/v1/orders")))
    assert shop.judged().state is GateState.FAILED
    allowed = shop.judged(allow_breaking=True)
    assert (allowed.state, "/v1/orders" in allowed.message) == (GateState.PASSED, True)


def test_a_version_that_shows_nothing_is_refused(shop):
    shop.pod("orders", NEW, {})
    found = shop.judged()

    assert found.state is GateState.FAILED
    assert "shows no contracts on its admin port" in found.message


def test_contracts_that_are_not_what_their_index_says_are_refused(shop):
    shop.pod("orders", NEW, contracts("orders") | {"asyncapi.json": b"{}"})
    found = shop.judged()

    assert found.state is GateState.FAILED
    assert "its digest differs" in found.message


@pytest.mark.parametrize("index", [b"[", b"{}", b'{"files": {"../../etc/passwd": {}}}', b'{"files": 7}'])
def test_an_index_that_is_none_is_refused(shop, index):
    shop.pod("orders", NEW, {"index.json": index})
    assert shop.judged().state is GateState.FAILED


def test_a_fix_does_not_wait_for_a_broken_version(shop):
    shop.pods = [each for each in shop.pods if each["metadata"]["name"] != f"orders-{OLD}"]
    shop.pod("orders", OLD, contracts("orders"), ready=False)
    shop.pod("orders", NEW, contracts("orders"))
    found = shop.judged()

    assert (found.state, found.message) == (
        GateState.PASSED,
        f"There was nothing to compare with: no pod of {OLD} is ready.",
    )


def test_an_active_version_that_is_ready_and_does_not_answer_is_waited_for(shop):
    """Could not be asked is not the same as has none."""
    gone = without("openapi.v1.json", "paths", "/v1/orders")
    shop.pods[0]["spec"]["containers"][0]["ports"][0]["containerPort"] = 1
    shop.pod("orders", NEW, contracts("orders", gone))

    assert shop.judged().state is GateState.INCONCLUSIVE


def test_a_candidate_that_answers_with_an_error_is_asked_again(shop):
    shop.pod("orders", NEW, contracts("orders"))

    def ask(url, most):
        return (503, b"upstream connect error") if url.endswith("/contracts") else content(url, most)

    found = shop.judged(judge=JudgeInProcess(ask))

    assert (found.state, "503" in found.message) == (GateState.INCONCLUSIVE, True)


def test_what_a_service_without_pods_relies_on_is_unknown(shop):
    shop.microservice("users", OLD)
    shop.pod("orders", NEW, contracts("orders", without("openapi.v1.json", "paths", "/v1/orders", "get", "summary")))
    shop.pods[0]["status"]["conditions"] = []
    found = shop.judged()

    assert found.state is GateState.INCONCLUSIVE
    assert "What users relies on is unknown" in found.message


def test_a_fix_that_changes_no_promise_waits_for_no_other_service(shop):
    shop.microservice("users", OLD)
    shop.pod("orders", NEW, contracts("orders"))

    assert (shop.judged().state, shop.judged().message) == (GateState.PASSED, "nothing changed")


def test_a_version_that_relies_on_what_is_not_there_waits_for_it(shop):
    shop.pod("storefront", NEW, contracts("storefront"))
    assert shop.judged("storefront").state is GateState.PASSED

    shop.pods = [each for each in shop.pods if each["metadata"]["name"] != f"orders-{OLD}"]
    gone = without("openapi.v1.json", "paths", "/v1/orders")
    shop.pod("orders", OLD, contracts("orders", gone))
    found = shop.judged("storefront")

    assert found.state is GateState.FAILED
    assert "storefront calls POST /v1/orders of orders" in found.message


@pytest.mark.parametrize("declared", [
    {"calls": [{"service": "payments", "method": "POST", "path": "/v1/pay"}]},
    {"calls": [{"service": "payments", "grpc": "pay.v1.Payments/Pay"}]},
    {"events": [{"service": "payments", "type": "payments.Paid.v1", "fields": ["id"]}]},
])  # fmt: skip
def test_a_version_that_relies_on_a_service_that_nobody_has_does_not_pass(shop, declared):
    def relies(files):
        files["consumes.json"] = json.dumps(declared).encode()

    shop.pod("orders", NEW, contracts("orders", relies))
    found = shop.judged()

    assert found.state in {GateState.FAILED, GateState.INCONCLUSIVE}  # it may be in a place that is not looked at
    assert "payments" in found.message


def dropped(files):
    del files["openapi.v1.json"]


@pytest.mark.parametrize(
    ("calls", "state"),
    [({"v1": 3}, GateState.FAILED), ({"v1": 0}, GateState.PASSED), ({"v2": 9}, GateState.PASSED)],
)
def test_a_major_goes_when_nobody_calls_it_any_more(calls, state):
    """users has /v1 and /v2 side by side; the counters of its running pods are asked."""
    with _namespace() as shop:
        shop.microservice("users", OLD)
        shop.pod("users", OLD, contracts("users"), calls=calls)
        shop.pod("users", NEW, contracts("users", dropped))
        found = shop.judged("users")

        assert found.state is state, found.message
        if state is GateState.FAILED:
            assert "v1 is gone, and was called 3 times lately" in found.message


@pytest.mark.parametrize(
    ("pods", "state", "said"),
    [
        ([{"calls": 0}], GateState.PASSED, "v1 is gone, v2 takes its place, and nobody called it lately (1 pod has "),
        ([{"calls": 0}, {"calls": 9, "ready": False}], GateState.INCONCLUSIVE, "1 of 2 pods could not be asked"),
        ([{"calls": 9}, {"calls": 0, "ready": False}], GateState.FAILED, "was called 9 times lately"),
        ([{"calls": 0, "hours": 0.4}], GateState.INCONCLUSIVE, "still called (1 pod has counted for 24 min)"),
        ([{"calls": 1, "hours": 0.4}], GateState.FAILED, "was called 1 times lately (1 pod has counted for 24 min)"),
        ([{"calls": 0, "hours": 0.4}, {"calls": 0}], GateState.PASSED, "(2 pods have counted for 26 h)"),
    ],
)
def test_counters_prove_what_all_pods_have_counted_for_long(pods, state, said):
    with _namespace() as shop:
        shop.microservice("users", OLD)
        for pod in pods:
            shop.pod("users", OLD, contracts("users"), **{**pod, "calls": {"v1": pod["calls"]}})
        shop.pod("users", NEW, contracts("users", dropped))
        found = shop.judged("users")

        assert (found.state, said in found.message) == (state, True), found.message


@pytest.mark.parametrize("text", ['http_api_requests_total{version="v1"} +Inf', "no metrics at all {"])
def test_counters_that_can_not_be_read_prove_nothing(text):
    with _namespace() as shop:
        shop.microservice("users", OLD)
        shop.pod("users", OLD, contracts("users"), calls={"v1": 3})
        shop.pod("users", NEW, contracts("users", dropped))
        judge = JudgeInProcess(count=lambda _: calls_in(text))

        assert shop.judged("users", judge=judge).state is GateState.INCONCLUSIVE


def test_the_active_versions_broken_contracts_hold_up_no_fix(shop):
    shop.pods = [each for each in shop.pods if each["metadata"]["name"] != f"orders-{OLD}"]
    shop.pod("orders", OLD, contracts("orders") | {"asyncapi.json": b"{}"})
    shop.pod("orders", NEW, contracts("orders"))

    assert shop.judged().state is GateState.PASSED


def test_anothers_broken_declaration_is_its_own_fault(shop):
    broken = {"consumes.json": b'{"calls": 7}'}
    made = Contracts("users", broken)
    shop.microservice("users", OLD)
    shop.pod("users", OLD, broken | {"index.json": made.index()})
    shop.pod("orders", NEW, contracts("orders", without("openapi.v1.json", "paths", "/v1/orders", "get", "summary")))

    assert shop.judged().state is GateState.INCONCLUSIVE
    assert shop.judged(allow_breaking=True).state is GateState.PASSED


def test_documents_that_upset_the_rules_are_the_candidates_failure(shop):
    def upset(files):
        document = json.loads(files["asyncapi.json"])
        document["operations"] = dict.fromkeys(document["operations"], 7)
        files["asyncapi.json"] = json.dumps(document).encode()

    shop.pod("orders", NEW, contracts("orders", upset))
    assert shop.judged().state is GateState.FAILED


@pytest.mark.parametrize("answer", [(500, b"no"), (200, b"<html>"), (200, b"[]"), (302, b""), (404, b"{}")])
def test_a_neighbour_without_an_index_holds_nobody_up(shop, answer):
    """Its port is called admin and is none of the chassis."""
    shop.microservice("users", OLD)
    shop.pod("users", OLD, {})
    port = shop.pods[-1]["spec"]["containers"][0]["ports"][0]["containerPort"]

    def ask(url, most):
        return answer if f":{port}/" in url else content(url, most)

    gone = without("openapi.v1.json", "paths", "/v1/orders", "get", "summary")
    shop.pod("orders", NEW, contracts("orders", gone))
    assert shop.judged(judge=JudgeInProcess(ask)).state is GateState.PASSED


def test_a_neighbour_that_does_not_answer_is_named(shop):
    shop.microservice("users", OLD)
    shop.pod("users", OLD, {})
    shop.pods[-1]["spec"]["containers"][0]["ports"][0]["containerPort"] = 1
    shop.pod("orders", NEW, contracts("orders", without("openapi.v1.json", "paths", "/v1/orders", "get", "summary")))
    found = shop.judged()

    assert found.state is GateState.INCONCLUSIVE
    assert f"What users relies on is unknown: users-{OLD} did not answer on its admin port" in found.message
