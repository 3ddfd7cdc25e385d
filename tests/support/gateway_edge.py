"""The gateway as strangers meet it: a real Envoy, and small services behind it that remember what reached them."""

import http.client
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from slipway_chassis.embedded.processes import Child, free_port, port_open
from slipway_chassis.testing.issuer import FakeIssuer
from slipway_gateway.binary import envoy_binary, validate
from slipway_gateway.config_files import write
from slipway_gateway.envoy import envoy_config
from slipway_gateway.settings import Listen
from slipway_gateway.settings_file import checked
from support.repository import ROOT

DESCRIPTOR = ROOT / "charts" / "platform" / "files" / "inventory.binpb"
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
                "redirect": False,
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


def ready(edge):
    try:
        return edge.ask("GET", "/readyz", port=edge.listen.metrics_port).status == 200
    except OSError:
        return False
