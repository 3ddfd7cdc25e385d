"""Slow and large requests end at the edge, and so does what strangers say that services tell each other."""

import json
import socket
from contextlib import ExitStack

import pytest

from slipway_chassis.testing.plugin import eventually
from slipway_gateway.development_ca import ensure
from slipway_gateway.envoy import envoy_config
from slipway_gateway.routing import INTERNAL_HEADERS, OF_A_PROXY
from slipway_gateway.settings_file import checked
from support.gateway_edge import DESCRIPTOR, SERVICE, running

MEGABYTE = 1024 * 1024
BODIES = {
    "auth": None,
    "cors": {},
    "requestBody": {"seconds": 2},
    "transcode": {"upstream": "inventory", "descriptorFile": str(DESCRIPTOR), "services": [SERVICE]},
    "routes": [
        {"path": f"/{SERVICE}/ListItems", "upstream": "inventory", "public": True},
        {"prefix": "/items", "public": True, "upstream": "orders"},
        {"prefix": "/small", "public": True, "upstream": "orders", "maxBodyBytes": 2048},
        {"prefix": "/uploads", "public": True, "upstream": "orders", "streamBody": True},
        {"prefix": "/pods", "public": True, "upstream": "pods"},
    ],
}


@pytest.fixture(scope="module", name="narrow")
def _narrow(tmp_path_factory, services):
    folder = tmp_path_factory.mktemp("narrow")
    with running(folder, services, ensure(folder / "certificates"), **BODIES) as edge:
        yield edge


def begun(edge, path, *headers):
    """A connection with a request whose body never ends."""
    connection = socket.create_connection(("127.0.0.1", edge.listen.port), timeout=60)
    lines = [f"POST {path} HTTP/1.1", "Host: shop", "Content-Length: 100000", *headers, "", "x"]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def under_way(edge, count):
    """Whether the gateway holds so many requests."""
    [line] = [
        one for one in edge.ask("GET", "/metrics", port=edge.listen.metrics_port).body.decode().splitlines()
        if one.startswith("envoy_http_downstream_rq_active") and 'prefix="http"' in one
    ]  # fmt: skip
    return int(float(line.rpartition(" ")[2])) >= count


@pytest.mark.integration
def test_forty_slow_bodies_reach_no_service_and_stop_nobody(narrow):
    with ExitStack() as stack:
        slow = [stack.enter_context(begun(narrow, f"/items/slow/{number}")) for number in range(40)]
        eventually(lambda: under_way(narrow, 40))
        assert narrow.ask("GET", "/items/honest").status == 200
        assert narrow.ask("POST", "/items/honest", body=b"{}").status == 200
        answers = [one.recv(100).split()[1] for one in slow]

    assert set(answers) == {b"408"}
    assert not [path for _, path, _ in narrow.upstream.requests if path.startswith("/items/slow/")]


@pytest.mark.integration
def test_seventy_unfinished_calls_reach_no_service_and_stop_nobody(narrow):
    path, before = f"/{SERVICE}/ListItems", len(narrow.inventory.calls)
    with ExitStack() as stack:
        slow = [
            stack.enter_context(begun(narrow, path, "Content-Type: application/grpc", "TE: trailers"))
            for _ in range(70)
        ]
        eventually(lambda: under_way(narrow, 70))
        assert len(narrow.inventory.ask(narrow.listen.port, "ListItems")) == 1
        for one in slow:
            assert one.recv(100)

    assert len(narrow.inventory.calls) == before + 1


@pytest.mark.integration
@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/items/whole", MEGABYTE, 200),
        ("/items/whole", MEGABYTE + 1, 413),
        ("/small/whole", 2048, 200),
        ("/small/whole", 2049, 413),
        ("/uploads/whole", 2 * MEGABYTE, 200),
    ],
)
def test_a_body_has_a_limit_which_a_route_sets_for_itself(narrow, path, size, status):
    assert narrow.ask("POST", path, body=b"x" * size).status == status


@pytest.mark.integration
def test_the_largest_body_is_tried_again_on_another_pod(narrow):
    body = b"x" * MEGABYTE

    assert [narrow.ask("POST", f"/pods/{number}", body=body).status for number in range(10)] == [200] * 10


@pytest.mark.integration
def test_what_services_tell_each_other_no_stranger_tells_them(narrow):
    """A stranger's deadline would make a service say 504: tried again, and counted as the pod's failure."""
    said = dict.fromkeys([*INTERNAL_HEADERS, *OF_A_PROXY, "x-client-address"], "1")
    said |= {"traceparent": "kept", "Idempotency-Key": "kept"}

    assert narrow.ask("GET", "/items/told", headers=said).status == 200
    [(_, _, seen)] = narrow.seen("/items/told")
    names = {name.lower(): value for name, value in seen.items()}
    assert not names.keys() & {*INTERNAL_HEADERS, *OF_A_PROXY}
    assert {"traceparent", "idempotency-key"} <= names.keys()
    assert names["x-client-address"] == "127.0.0.1"


def made(**changes):
    values = {
        "auth": {"issuer": "http://users", "audience": "shop", "jwksUpstream": "stock"},
        "upstreams": {"stock": {"address": "10.0.0.7", "protocol": "grpc"}},
        "routes": [
            {"path": "/stock.v1.Stock/List", "upstream": "stock", "timeoutSeconds": 2.5},
            {"path": "/stock.v1.Stock/Watch", "upstream": "stock", "stream": True},
            {"path": "/live", "upstream": "stock", "methods": ["GET"], "stream": True},
        ],
    }
    config = envoy_config(checked(values | changes))
    [listener] = [one for one in config["static_resources"]["listeners"] if one["name"] == "http"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager, {one["name"]: one for one in manager["route_config"]["virtual_hosts"][0]["routes"]}


def test_streams_of_requests_are_passed_on_as_they_come_and_reads_have_none():
    routes = made()[1]
    off = [name for name, one in routes.items() if "disabled" in json.dumps(one["typed_per_filter_config"])]

    assert off == ["* /stock.v1.Stock/Watch"]


def test_a_grpc_service_is_told_how_long_the_gateway_waits():
    added = {name: one.get("request_headers_to_add", []) for name, one in made()[1].items()}

    assert added["* /stock.v1.Stock/List"][-1]["header"] == {"key": "grpc-timeout", "value": "2500m"}
    assert "grpc-timeout" not in json.dumps(added["* /stock.v1.Stock/Watch"])


def test_only_a_trusted_proxy_says_what_the_client_asked_for():
    alone, behind = (made(listen={"trustedHops": hops})[1]["GET /live"]["request_headers_to_remove"] for hops in (0, 1))

    assert set(alone) - set(behind) == set(OF_A_PROXY)
    assert "x-request-deadline" in behind


def test_tokens_and_scopes_are_asked_for_before_a_body_takes_memory():
    names = [one["name"].rpartition(".")[2] for one in made()[0]["http_filters"]]

    assert names.index("local_ratelimit") < names.index("jwt_authn") < names.index("rbac") < names.index("buffer")
