"""The gateway as strangers meet it: a real Envoy, small services behind it, and all that must not get through."""

import http.client
import json
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from joserfc.jwk import ECKey

from slipway_chassis.embedded.processes import Child, free_port, port_open
from slipway_chassis.testing.issuer import FakeIssuer
from slipway_chassis.testing.plugin import eventually
from slipway_operator.gateway.binary import envoy_binary, validate
from slipway_operator.gateway.cli import write
from slipway_operator.gateway.development_ca import ensure
from slipway_operator.gateway.draining import asking, drain, in_flight
from slipway_operator.gateway.envoy import envoy_config
from slipway_operator.gateway.reading import checked
from slipway_operator.gateway.settings import Listen
from support.repository import ROOT

pytestmark = pytest.mark.integration
DESCRIPTOR = ROOT / "charts" / "gateway" / "files" / "inventory.binpb"
SERVICE = "inventory.v1.InventoryService"
ORIGIN = "https://shop.example.org"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Server(ThreadingHTTPServer):
    def handle_error(self, *_args):
        """Envoy closes connections as it likes."""


@dataclass
class Upstream:
    """A service that remembers what reached it."""

    requests: list = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def start(self):
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                size = int(self.headers.get("Content-Length", 0))
                self.rfile.read(size)
                first = not any(path == self.path for _, path, _ in upstream.requests)
                upstream.requests.append((self.command, self.path, dict(self.headers)))
                if "/flaky" in self.path and first:
                    self.close_connection = True
                    return
                if "/slow" in self.path:
                    upstream.release.wait()
                body = json.dumps({"path": self.path}).encode()
                self.send_response(503 if "/away" in self.path else 200)
                self.send_header("Content-Length", str(len(body)))
                if "/page" in self.path:
                    self.send_header("Content-Security-Policy", "default-src 'self'")
                    self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_TRACE = do_GET

            def log_message(self, *_args):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, name="upstream", daemon=True).start()
        return self

    def stop(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


class Inventory:
    """A gRPC service of the shop's own description, with one item."""

    def __init__(self):
        pool, files = descriptor_pool.DescriptorPool(), descriptor_pb2.FileDescriptorSet()
        files.ParseFromString(DESCRIPTOR.read_bytes())
        for file in files.file:
            pool.Add(file)
        self.service = pool.FindServiceByName(SERVICE)
        self.calls = []
        self.item = self.message("Item")(sku="tea", name="Tea", price_cents=350)
        answers = {"ListItems": self.list_items, "GetItem": self.get_item, "WatchStock": self.watch}
        handlers = {name: self.handler(name, answer) for name, answer in answers.items()}
        self.server = grpc.server(ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def message(self, name):
        return message_factory.GetMessageClass(self.service.file.message_types_by_name[name])

    def handler(self, name, answer):
        method = self.service.methods_by_name[name]
        kind = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        asked = message_factory.GetMessageClass(method.input_type)

        def call(request, context):
            self.calls.append(name)
            return answer(request, context)

        return kind(call, asked.FromString, lambda message: message.SerializeToString())

    def list_items(self, _request, _context):
        return self.message("ListItemsResponse")(items=[self.item])

    def get_item(self, request, context):
        if request.sku != "tea":
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no such item")
        return self.message("GetItemResponse")(item=self.item)

    def watch(self, _request, _context):
        yield from [self.message("WatchStockResponse")(item=self.item)] * 2

    def ask(self, port, name, token=None):
        """Asks as a gRPC client does; returns the answers."""
        method = self.service.methods_by_name[name]
        answer = message_factory.GetMessageClass(method.output_type).FromString
        metadata = [("authorization", f"Bearer {token}")] if token else []
        request = message_factory.GetMessageClass(method.input_type)()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            path = f"/{SERVICE}/{name}"
            call = channel.unary_stream(path, lambda message: message.SerializeToString(), answer)
            return list(call(request, metadata=metadata, timeout=30))


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def problem(self):
        assert self.headers["content-type"] == "application/problem+json", self
        return json.loads(self.body)


@dataclass
class Edge:
    listen: Listen
    child: Child
    issuer: FakeIssuer
    upstream: Upstream
    inventory: Inventory
    ca: Path

    def ask(self, method, path, *, token=None, headers=(), body=None, client="127.0.0.1", port=None, tls=False):
        """Sends the path as it is: nothing is normalised on this side."""
        headers = dict(headers) | ({"Authorization": f"Bearer {token}"} if token else {})
        if tls:
            context = ssl.create_default_context(cafile=self.ca)
            connection = http.client.HTTPSConnection("localhost", self.listen.tls_port, timeout=30, context=context)
        else:
            source = (client, 0)
            connection = http.client.HTTPConnection(
                "127.0.0.1", port or self.listen.port, timeout=30, source_address=source
            )
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def seen(self, path):
        return [one for one in self.upstream.requests if one[1] == path]

    def log_lines(self):
        lines = self.child.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def settings_for(listen, upstream, issuer, certificates, inventory, **changes):
    service = {"address": "127.0.0.1", "port": upstream.server.server_port}
    orders = {"prefix": "/v1/orders", "upstream": "orders"}
    return checked(
        {
            "listen": listen,
            "auth": {"issuer": issuer.url, "audience": "shop", "jwksUpstream": "issuer"},
            "rateLimit": {"perClient": {"requests": 5000, "seconds": 1}},
            "cors": {"origins": [ORIGIN]},
            "tls": {
                "enabled": True,
                "certificateFile": str(certificates.certificate),
                "keyFile": str(certificates.key),
            },
            "upstreams": {
                "orders": service,
                "pods": service,
                "inventory": {"address": "127.0.0.1", "port": inventory.port, "protocol": "grpc"},
                "issuer": {"address": "127.0.0.1", "port": int(issuer.url.rpartition(":")[2])},
            },
            "transcode": {"upstream": "inventory", "descriptorFile": str(DESCRIPTOR), "services": [SERVICE]},
            "routes": [
                {"prefix": "/v1/inventory", "methods": ["GET"], "upstream": "inventory", "scopes": ["inventory:read"]},
                {"prefix": "/v1/inventory", "upstream": "inventory", "scopes": ["inventory:write"]},
                {"path": f"/{SERVICE}/ListItems", "upstream": "inventory", "scopes": ["inventory:read"]},
                {"path": f"/{SERVICE}/WatchStock", "upstream": "inventory", "public": True, "stream": True},
                {"path": "/", "public": True, "upstream": "orders", "methods": ["GET", "HEAD"]},
                {"prefix": "/items", "public": True, "upstream": "orders", "methods": ["GET", "HEAD"]},
                {"prefix": "/sign-in", "public": True, "upstream": "orders"},
                {
                    "path": "/oauth/token",
                    "public": True,
                    "upstream": "orders",
                    "rateLimit": {"requests": 2, "seconds": 3600},
                },
                {"prefix": "/v1/orders/slow", "upstream": "orders", "public": True, "timeoutSeconds": 0.2},
                {**orders, "methods": ["GET", "HEAD"], "scopes": ["orders:read"]},
                {**orders, "methods": ["POST"], "scopes": ["orders:write", "orders:read"]},
                {"prefix": "/v1/whoami", "upstream": "orders"},
                {"prefix": "/pods", "upstream": "pods", "public": True},
            ],
        }
        | changes
    )


@pytest.fixture(scope="module", name="services")
def _services():
    issuer, upstream, inventory = FakeIssuer(audience="shop").start(), Upstream().start(), Inventory()
    yield issuer, upstream, inventory
    upstream.stop()
    issuer.stop()
    inventory.server.stop(None)


@contextmanager
def running(folder, services, certificates, **changes):
    """An Envoy of these settings on ports of its own."""
    issuer, upstream, inventory = services
    listen = Listen(port=free_port(), tls_port=free_port(), metrics_port=free_port(), admin_port=free_port())
    settings = settings_for(listen, upstream, issuer, certificates, inventory, **changes)
    validate(envoy_config(settings))
    config = folder / "envoy.json"
    write(settings, config)
    give_a_dead_pod(config)
    argv = [envoy_binary(), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    child = Child("gateway", argv, folder / "envoy.log", {"SERVICE_VERSION": "1.2.3"})
    edge = Edge(listen, child, issuer, upstream, inventory, certificates.ca)
    try:
        child.start_and_wait(lambda: port_open(listen.metrics_port) and ready(edge), 60)
        yield edge
    finally:
        child.stop()


def give_a_dead_pod(config):
    """The service 'pods' gets a second address, as of a pod that has gone."""
    made = json.loads(config.read_text())
    [cluster] = [one for one in made["static_resources"]["clusters"] if one["name"] == "pods"]
    dead = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": free_port()}}}}
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"].append(dead)
    config.write_text(json.dumps(made))


@pytest.fixture(scope="module", name="edge")
def _edge(tmp_path_factory, services):
    folder = tmp_path_factory.mktemp("edge")
    with running(folder, services, ensure(folder / "certificates")) as edge:
        yield edge


def ready(edge):
    try:
        return edge.ask("GET", "/readyz", port=edge.listen.metrics_port).status == 200
    except OSError:
        return False


def test_a_good_token_gets_through_and_reaches_the_service(edge):
    token = edge.issuer.token(scopes=["orders:read"])

    answer = edge.ask("GET", "/v1/orders/7?a=1", token=token)

    assert answer.status == 200, answer
    assert json.loads(answer.body) == {"path": "/v1/orders/7?a=1"}
    [(_, _, headers)] = edge.seen("/v1/orders/7?a=1")
    assert headers["authorization"] == f"Bearer {token}"  # services check again
    assert headers["x-request-id"] == answer.headers["x-request-id"]


def swapped_payload(issuer):
    head, _, signature = issuer.token(scopes=["users:read"]).split(".")
    return ".".join([head, issuer.token(scopes=["orders:read"], subject="root").split(".")[1], signature])


def unsigned(issuer):
    _, payload, _ = issuer.token(scopes=["orders:read"]).split(".")
    return f"eyJhbGciOiJub25lIn0.{payload}."


FORGED = ECKey.generate_key("P-256", {"kid": "key-2", "use": "sig"})
REFUSED = {
    "missing": lambda _issuer: None,
    "another issuer": lambda issuer: issuer.token(scopes=["orders:read"], iss="http://evil.test"),
    "expired": lambda issuer: issuer.token(scopes=["orders:read"], lifetime=-120),
    "another audience": lambda issuer: issuer.token(scopes=["orders:read"], audience="bank"),
    "no expiry": lambda issuer: issuer.token(scopes=["orders:read"], exp=None),
    "a forged signature": lambda issuer: issuer.token(scopes=["orders:read"], key=FORGED),
    "a changed payload": swapped_payload,
    "no signature": unsigned,
    "not a token": lambda _issuer: "abc",
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_token_that_is_not_valid_is_refused_at_the_edge(edge, why):
    path = f"/v1/orders/{why.replace(' ', '-')}"

    answer = edge.ask("GET", path, token=REFUSED[why](edge.issuer))

    assert answer.status == 401, answer
    assert answer.problem.items() >= {"type": "about:blank", "title": "Unauthorized", "status": 401}.items()
    assert answer.problem["instance"] == path
    assert answer.problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not edge.seen(path)


@pytest.mark.parametrize(
    "scopes",
    [
        [],
        ["xorders:read"],
        ["orders:read:all"],
        ["orders:readx"],
        ["orders", ":read"],
        ["orders:write"],
        ["ORDERS:READ"],
    ],
    ids="+".join,
)
def test_a_token_without_the_scope_is_refused_at_the_edge(edge, scopes):
    path = f"/v1/orders/without-{'-'.join(scopes)}"

    answer = edge.ask("GET", path, token=edge.issuer.token(scopes=scopes))

    assert answer.status == 403, answer
    assert answer.problem["title"] == "Forbidden"
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
    assert not edge.seen(path)


def test_all_scopes_are_needed(edge):
    one = edge.issuer.token(scopes=["orders:write"])
    both = edge.issuer.token(scopes=["profile", "orders:read", "orders:write"])

    assert edge.ask("POST", "/v1/orders", token=one, body=b"{}").status == 403
    assert edge.ask("POST", "/v1/orders", token=both, body=b"{}").status == 200


def test_scopes_as_a_list_count_as_well(edge):
    assert edge.ask("GET", "/v1/orders/l", token=edge.issuer.token(scope=["orders:read", "x"])).status == 200
    assert edge.ask("GET", "/v1/orders/l", token=edge.issuer.token(scope=["xorders:read"])).status == 403


def test_a_route_without_scopes_needs_some_valid_token(edge):
    assert edge.ask("GET", "/v1/whoami").status == 401
    assert edge.ask("GET", "/v1/whoami", token=edge.issuer.token()).status == 200


@pytest.mark.parametrize("where", ["/v1/whoami?access_token={}", "/v1/whoami?token={}"])
def test_tokens_count_in_the_header_alone(edge, where):
    assert edge.ask("GET", where.format(edge.issuer.token())).status == 401


def test_a_public_route_asks_for_no_token_and_refuses_none(edge):
    assert edge.ask("GET", "/items").status == 200
    assert edge.ask("GET", "/items", headers={"Authorization": "Bearer abc"}).status == 200
    assert edge.ask("GET", "/items", token=edge.issuer.token(lifetime=-120)).status == 200


def test_keys_rotate(edge):
    edge.issuer.rotate()  # announced before it signs: known already

    assert edge.ask("GET", "/v1/orders/r", token=edge.issuer.token(scopes=["orders:read"])).status == 200


def test_without_the_issuers_keys_nobody_is_called_a_forger(tmp_path, edge):
    """A gateway that starts while the issuer is away: 503 with Retry-After until the keys are there, never 401."""
    issuer = FakeIssuer(audience="shop").start()
    issuer.away = True
    services = (issuer, edge.upstream, edge.inventory)
    with running(tmp_path, services, ensure(tmp_path / "certificates")) as lonely:
        token = issuer.token(scopes=["orders:read"])
        answer = lonely.ask("GET", "/v1/orders/7", token=token)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.problem["status"] == 503
        assert lonely.ask("GET", "/v1/orders/7").status == 401, "who brings none is told so"
        with pytest.raises(grpc.RpcError) as refused:
            edge.inventory.ask(lonely.listen.port, "ListItems", token)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert lonely.ask("GET", "/items/7").status == 200

        issuer.away = False
        eventually(lambda: lonely.ask("GET", "/v1/orders/7", token=token).status == 200)
    issuer.stop()


def test_each_client_has_its_own_limit(edge):
    path, first, second = "/oauth/token", "127.0.0.11", "127.0.0.12"

    assert [edge.ask("POST", path, client=first).status for _ in range(3)] == [200, 200, 429]
    assert edge.ask("POST", path, client=second).status == 200
    refused = edge.ask("POST", path, client=first)
    assert refused.problem["title"] == "Too Many Requests"
    assert int(refused.headers["retry-after"]) == 1800
    assert edge.ask("GET", "/items", client=first).status == 200  # the route's own bucket


def test_a_client_can_t_pass_for_another(edge):
    statuses = [
        edge.ask("POST", "/oauth/token", client="127.0.0.13", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status
        for n in range(4)
    ]

    assert statuses == [200, 200, 429, 429]


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


def test_a_read_is_tried_again_when_the_connection_closes(edge):
    assert edge.ask("GET", "/items/flaky").status == 200
    assert len(edge.seen("/items/flaky")) == 2


def test_a_write_is_not_sent_twice(edge):
    answer = edge.ask("POST", "/sign-in/flaky", body=b"once")

    assert answer.status == 503
    assert answer.problem["title"] == "Service Unavailable"
    assert len(edge.seen("/sign-in/flaky")) == 1


def test_a_read_is_tried_again_after_503_within_the_budget(edge):
    answer = edge.ask("GET", "/items/away")

    assert answer.status == 503
    assert len(edge.seen("/items/away")) == 3


def test_a_pod_that_has_gone_fails_no_request(edge):
    """A write as well, and a large one: nothing of it has been sent when the connection is refused."""
    body = b"x" * 500_000

    assert [edge.ask("POST", f"/pods/{number}", body=body).status for number in range(20)] == [200] * 20
    assert all(len(edge.seen(f"/pods/{number}")) == 1 for number in range(20))


def test_a_service_that_is_too_slow_is_given_up(edge):
    answer = edge.ask("GET", "/v1/orders/slow")

    assert answer.status == 504
    assert answer.problem["title"] == "Gateway Timeout"


def test_browsers_of_a_known_origin_may_call(edge):
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = edge.ask("OPTIONS", "/v1/orders", headers=asked)
    token = edge.issuer.token(scopes=["orders:read"])

    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    answer = edge.ask("GET", "/v1/orders/c", token=token, headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_browsers_of_another_origin_may_not(edge):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = edge.ask("OPTIONS", "/v1/orders", headers=asked)

    assert preflight.status == 404
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in edge.ask("GET", "/items", headers=asked).headers


@pytest.mark.parametrize(("path", "status"), [("/items", 200), ("/nothing", 404), ("/v1/orders", 401)])
def test_every_answer_has_the_security_headers(edge, path, status):
    headers = edge.ask("GET", path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "strict-transport-security" not in headers
    assert headers["server"] == "gateway"
    assert not [name for name in headers if name.startswith("x-envoy")]
    assert edge.ask("GET", path).status == status


def test_what_a_service_says_of_its_pages_stays(edge):
    headers = edge.ask("GET", "/items/page").headers

    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["referrer-policy"] == "no-referrer"


def test_https_with_the_development_ca(edge):
    answer = edge.ask("GET", "/items", tls=True)

    assert answer.status == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    context = ssl.create_default_context(cafile=edge.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", edge.listen.tls_port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"
        assert secure.version() in {"TLSv1.2", "TLSv1.3"}


def serial_number(edge):
    context = ssl.create_default_context(cafile=edge.ca)
    with (
        socket.create_connection(("127.0.0.1", edge.listen.tls_port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        return secure.getpeercert()["serialNumber"]


def test_a_renewed_certificate_is_taken_without_a_restart(edge):
    before = serial_number(edge)

    ensure(edge.ca.parent, names=["localhost", "shop.test"])

    eventually(lambda: serial_number(edge) != before)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(edge):
    context = ssl.create_default_context(cafile=edge.ca)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # this side would refuse it as well
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", edge.listen.tls_port)) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)alert"),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


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


def test_json_reaches_a_grpc_service_with_the_scopes_of_its_own_path(edge):
    reads, writes = edge.issuer.token(scopes=["inventory:read"]), edge.issuer.token(scopes=["inventory:write"])
    path = "/v1/inventory/items"
    before = len(edge.inventory.calls)

    assert edge.ask("GET", path).status == 401
    assert edge.ask("GET", path, token=writes).status == 403
    assert edge.ask("PUT", f"{path}/tea", token=reads, body=b"{}").status == 403
    assert len(edge.inventory.calls) == before
    answer = edge.ask("GET", path, token=reads)
    assert answer.status == 200, answer
    [item] = json.loads(answer.body)["items"]
    assert item.items() >= {"sku": "tea", "price_cents": 350, "available": 0}.items()


def test_errors_of_a_grpc_service_become_http_s(edge):
    token = edge.issuer.token(scopes=["inventory:read"])

    missing = edge.ask("GET", "/v1/inventory/items/coffee", token=token)

    assert missing.status == 404
    assert json.loads(missing.body)["message"] == "there is no such item"
    for path in ("/v1/inventory", "/v1/inventory/unknown", "/v1/inventory/items?unknown=1"):
        answer = edge.ask("GET", path, token=token)
        assert answer.status in {400, 404}, answer
        assert answer.problem


def test_grpc_clients_get_through_and_are_refused_in_their_own_form(edge):
    token, other = edge.issuer.token(scopes=["inventory:read"]), edge.issuer.token(scopes=["orders:read"])
    before = len(edge.inventory.calls)
    refused = {None: grpc.StatusCode.UNAUTHENTICATED, other: grpc.StatusCode.PERMISSION_DENIED}

    for wrong, code in refused.items():
        with pytest.raises(grpc.RpcError) as error:
            edge.inventory.ask(edge.listen.port, "ListItems", wrong)
        assert error.value.code() is code
        assert "{" not in error.value.details()
    with pytest.raises(grpc.RpcError) as error:
        edge.inventory.ask(edge.listen.port, "GetItem", token)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert len(edge.inventory.calls) == before
    [answer] = edge.inventory.ask(edge.listen.port, "ListItems", token)
    assert [item.sku for item in answer.items] == ["tea"]
    assert len(edge.inventory.ask(edge.listen.port, "WatchStock")) == 2


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
