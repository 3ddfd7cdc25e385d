"""What those see who run the gateway: probes, metrics, logs, traces, draining, and its size."""

import json

import psutil
import pytest

from slipway_chassis.embedded.processes import free_port
from slipway_chassis.testing.issuer import FakeIssuer
from slipway_chassis.testing.plugin import eventually
from slipway_gateway.development_ca import ensure
from slipway_gateway.draining import asking, drain, in_flight
from slipway_gateway.starting import await_keys
from support.gateway_edge import TRACEPARENT, Upstream, running

pytestmark = [pytest.mark.integration, pytest.mark.core]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 200),
        ("GET", "/readyz", 200),
        ("GET", "/healthz", 200),
        ("GET", "/metrics?format=json", 404),
        ("POST", "/metrics", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/stats", 404),
        ("GET", "/", 404),
        ("GET", "/config_dump", 404),
        ("POST", "/quitquitquit", 404),
        ("GET", "/metrics/../config_dump", 404),
        ("GET", "/items", 404),
    ],
)
def test_the_metrics_port_serves_metrics_and_probes_alone(edge, method, path, status):
    answer = edge.ask(method, path, port=edge.listen.metrics_port)

    assert answer.status == status
    if (path, status) == ("/metrics", 200):
        assert b'envoy_cluster_name="orders"' in answer.body


def test_the_admin_port_is_on_the_loopback_address_alone(edge):
    listening = [c.laddr for c in psutil.Process(edge.child.pid).net_connections("tcp") if c.status == "LISTEN"]

    assert ("127.0.0.1", edge.listen.admin_port) in listening


def test_the_access_log_speaks_as_the_services_do(edge):
    answer = edge.ask("GET", "/items/logged?secret=1", headers={"traceparent": TRACEPARENT})
    request_id = answer.headers["x-request-id"]

    line = eventually(lambda: [one for one in edge.log_lines() if one.get("http.request.id") == request_id])[0]
    assert (
        line.items()
        >= {
            "log.logger": "slipway.access",
            "message": "GET /items/logged 200",
            "service.name": "gateway",
            "service.version": "1.2.3",
            "process.title": "gateway",
            "http.request.method": "GET",
            "url.path": "/items/logged",
            "http.response.status_code": 200,
            "trace.id": TRACEPARENT[3:35],
            "span.id": TRACEPARENT[36:52],
            "destination.service": "orders",
        }.items()
    )
    assert line["event.duration"] > 0
    assert "secret" not in json.dumps(line)
    assert edge.seen("/items/logged?secret=1")[0][2]["traceparent"] == TRACEPARENT


def test_no_caller_writes_into_the_log(edge):
    answer = edge.ask("GET", "/items/forged", headers={"traceparent": "x paid 00 zz", "X-Request-Id": "mine"})
    request_id = answer.headers["x-request-id"]

    line = eventually(lambda: [one for one in edge.log_lines() if one.get("http.request.id") == request_id])[0]
    assert request_id != "mine"
    assert "trace.id" not in line


def test_envoy_s_own_messages_are_lines_of_json_as_well(edge):
    ask = asking(edge.listen.admin_port)
    ask("POST", "/logging?admin=info")
    try:
        ask("POST", "/healthcheck/ok")
    finally:
        ask("POST", "/logging?level=warning")

    lines = edge.child.log.read_text().splitlines()
    assert lines
    assert all(json.loads(line)["service.name"] == "gateway" for line in lines)


def test_traces_go_to_the_collector_and_into_the_log(tmp_path, services):
    collector = Upstream().start()
    telemetry = {"otlpEndpoint": f"http://127.0.0.1:{collector.server.server_port}", "traceSampleRatio": 1}
    try:
        with running(tmp_path, services, ensure(tmp_path / "certificates"), telemetry=telemetry) as edge:
            edge.ask("GET", "/items/traced", headers={"traceparent": TRACEPARENT})
            edge.ask("GET", "/items/untraced", headers={"traceparent": f"{TRACEPARENT[:-1]}0"})
            exported = eventually(lambda: [path for _, path, _ in collector.requests if path == "/v1/traces"])
            sent = [one[2]["traceparent"] for one in edge.seen("/items/traced")]
            lines = eventually(lambda: len(edge.log_lines()) >= 2 and edge.log_lines())
    finally:
        collector.stop()

    assert exported
    assert sent[0][3:35] == TRACEPARENT[3:35]
    assert sent[0][36:52] != TRACEPARENT[36:52]  # a span of the gateway's own
    assert {line["trace.id"] for line in lines} == {TRACEPARENT[3:35]}


def test_envoy_is_ready_without_the_keys_of_an_issuer_that_is_away_and_a_pod_is_not(tmp_path, services):
    _, upstream, inventory = services
    issuer = FakeIssuer(audience="shop").start()
    issuer.away = True
    try:
        with running(tmp_path, (issuer, upstream, inventory), ensure(tmp_path / "certificates")) as edge:
            ask = asking(edge.listen.admin_port)
            assert edge.ask("GET", "/readyz", port=edge.listen.metrics_port).status == 200
            assert not await_keys(ask, most=0)

            issuer.away = False
            assert await_keys(ask, most=60)
            assert edge.ask("GET", "/v1/whoami", token=issuer.token()).status == 200
    finally:
        issuer.stop()


def test_a_gateway_that_does_not_answer_yet_has_no_keys():
    assert not await_keys(asking(free_port()), most=0)


def test_draining_fails_readiness_and_ends_kept_alive_connections(edge):
    ask = asking(edge.listen.admin_port)
    try:
        left = drain(ask, wait=0, most=30)

        assert left == in_flight(ask) == 0
        assert edge.ask("GET", "/readyz", port=edge.listen.metrics_port).status == 503
        assert edge.ask("GET", "/healthz", port=edge.listen.metrics_port).status == 200
        answer = edge.ask("GET", "/items")
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
    finally:
        ask("POST", "/healthcheck/ok")


def test_it_is_small(edge, record_property):
    megabytes = psutil.Process(edge.child.pid).memory_info().rss / 1e6
    record_property("rss_mb", megabytes)
    print(f"Envoy's resident memory: {megabytes:.0f} MB")

    assert megabytes < 200
