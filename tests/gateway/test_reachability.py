"""Whatever is asked in whatever way: nothing is reached that no route names."""

import json
import socket

import pytest

pytestmark = pytest.mark.integration


ATTEMPTS = [
    "/metrics", "/healthz", "/readyz", "/openapi.json", "/admin", "/stats", "/quitquitquit", "/config_dump",
    "//metrics", "/./metrics", "/items/../metrics", "/v1/orders/../../metrics", "/v1/orders/%2e%2e/%2e%2e/metrics",
    "/v1/orders/..%2f..%2fmetrics", "/v1/orders/..%5c..%5cmetrics", "/v1/orders/..\\..\\metrics",
    "/v1/orders/..;/metrics", "/items/..;/../metrics", "/items%2f..%2fmetrics", "/itemsmetrics", "/items-internal",
    "/v1/users", "/v2/orders", "/v1/inventories", "/V1/orders", "/grpc.health.v1.Health/Check",
    "/inventory.v1.InventoryService/PutItem", "/inventory.v1.InventoryService",
    "/.well-known/jwks.json", "/%6detrics", "/items/%00/../../metrics",
    "http://127.0.0.1:9901/stats", "http://orders/metrics", "*",
]  # fmt: skip


@pytest.mark.parametrize("path", ATTEMPTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_else_is_reachable(edge, method, path):
    before = len(edge.upstream.requests)

    answer = edge.ask(method, path)

    assert answer.status in {400, 401, 404}, answer
    assert len(edge.upstream.requests) == before
    assert b"envoy" not in answer.body.lower()


@pytest.mark.parametrize(
    "path", ["/items/x/../x", "/items//x", "/items/./x", "//items/x"], ids=["up", "slashes", "dot", "first slashes"]
)
def test_a_service_sees_the_path_that_was_judged(edge, path):
    answer = edge.ask("GET", path)

    assert answer.status == 200
    assert json.loads(answer.body)["path"] == "/items/x"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Original-Url": "/metrics"},
        {"X-Rewrite-Url": "/metrics"},
        {"X-Envoy-Original-Path": "/metrics"},
        {"X-Forwarded-Prefix": "/metrics"},
        {"Host": "127.0.0.1:9901"},
        {"Host": "orders"},
        {"X-Forwarded-Host": "gateway-admin"},
        {"X-HTTP-Method-Override": "GET"},
        {"X-Envoy-Internal": "true"},
    ],
    ids=lambda headers: next(iter(headers)) + next(iter(headers.values())),
)
def test_headers_open_nothing(edge, headers):
    assert edge.ask("GET", "/metrics", headers=headers).status == 404
    assert edge.ask("GET", "/v1/orders/h", headers=headers).status == 401


@pytest.mark.parametrize("method", ["TRACE", "DELETE", "PROPFIND", "get", "OPTIONS"])
def test_methods_that_are_not_named_reach_nothing(edge, method):
    before = len(edge.upstream.requests)

    assert edge.ask(method, "/items").status in {400, 404, 501}
    assert len(edge.upstream.requests) == before


def test_the_gateway_is_no_proxy_to_elsewhere(edge):
    with socket.create_connection(("127.0.0.1", edge.listen.port)) as connection:
        target = f"127.0.0.1:{edge.listen.admin_port}"
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        status = int(connection.recv(4096).split(b" ")[1])

    assert status >= 400


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /items HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
        b"GET /items HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        b"GET /items HTTP/1.1\r\nHost: a\r\nX_User: root\r\n\r\n",
        b"GET /items HTTP/1.1\r\n\r\n",
        b"GET /items HTTP/1.1\r\nHost: a\r\nX-Big: " + b"x" * 70000 + b"\r\n\r\n",
    ],
    ids=["two lengths", "unknown encoding", "underscore", "no host", "too large"],
)
def test_doubtful_requests_are_refused(edge, raw):
    before = len(edge.upstream.requests)
    with socket.create_connection(("127.0.0.1", edge.listen.port)) as connection:
        connection.sendall(raw)
        status = int(connection.recv(4096).split(b" ")[1])

    assert status in {400, 431, 501}
    assert len(edge.upstream.requests) == before
