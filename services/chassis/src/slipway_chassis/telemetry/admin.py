"""The admin port: ``/healthz``, ``/readyz`` and ``/metrics`` of any process, for kubelet and Prometheus; and what this
version promises (``/contracts``), for the operator.

A thread of its own on a port of its own, so that workers without HTTP have probes too and metrics are
never served where users can reach them.
"""

import json
import socket
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from slipway_contracts.bundle import INDEX
from slipway_contracts.stored_contracts import contracts_in

from .bounded_server import BoundedServer
from .health import Health

CONTRACTS = Path("/contracts")  # where the image has them


JSON = "application/json"
# A probe takes milliseconds. Who takes longer ends, and the oldest of so many connections.
REQUEST_SECONDS = 15.0
MOST_CONNECTIONS = 64


class _Bounded(BoundedServer, ThreadingWSGIServer):
    request_seconds, most_connections = REQUEST_SECONDS, MOST_CONNECTIONS
    request_queue_size = 2 * MOST_CONNECTIONS  # the library's 5 make a probe beside others wait for a second SYN

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if ":" in args[0][0]:
            self.address_family = socket.AF_INET6
        super().__init__(*args, **kwargs)


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the standard library's name
        """Probes every few seconds are not worth a line each."""


def admin_app(
    health: Health, registry: CollectorRegistry = REGISTRY, contracts: Mapping[str, bytes] = {}
) -> WSGIApplication:
    """``contracts``: files by their path below /contracts."""
    metrics = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO"))
        if path == "/metrics":
            return metrics(environ, start_response)  # type: ignore[no-any-return]
        if path == "/healthz":
            return _answer(start_response, "200 OK", {"status": "alive"})
        if path == "/readyz":
            ready, body = health.readiness()
            return _answer(start_response, "200 OK" if ready else "503 Service Unavailable", body)
        if environ.get("REQUEST_METHOD") == "GET" and (content := _contract(contracts, path)) is not None:
            start_response("200 OK", [("Content-Type", "application/octet-stream" if path.endswith("pb") else JSON)])
            return [content]
        return _answer(start_response, "404 Not Found", {"title": "Not Found", "status": 404})

    return app


def _contract(contracts: Mapping[str, bytes], path: str) -> bytes | None:
    """Looked up by its name among the files that were read at start: no path reaches the disk."""
    place = "" if path == "/contracts" else path.removeprefix("/contracts/")
    return contracts.get(place or INDEX) if path.startswith("/contracts") and place != path else None


def _answer(start_response: StartResponse, status: str, body: dict[str, object]) -> list[bytes]:
    start_response(status, [("Content-Type", JSON)])
    return [json.dumps(body).encode()]


def serve_admin(host: str, port: int, health: Health, contracts: Path = CONTRACTS) -> int:
    """Serves the admin port from a daemon thread; returns the port (useful when 0 was asked for)."""
    server = make_server(
        host, port, admin_app(health, contracts=contracts_in(contracts)), _Bounded, handler_class=_Silent
    )
    threading.Thread(target=server.serve_forever, name="admin", daemon=True).start()
    return int(server.server_port)
