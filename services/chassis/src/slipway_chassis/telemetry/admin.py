"""The admin port: ``/healthz``, ``/readyz`` and ``/metrics`` of any process, for kubelet and Prometheus; and what this
version promises (``/contracts``), for the operator.

A thread of its own on a port of its own, so that workers without HTTP have probes too and metrics are
never served where users can reach them.
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from slipway_contracts.bundle import INDEX
from slipway_contracts.stored_contracts import contracts_in

from .health import Health

CONTRACTS = Path("/contracts")  # where the image has them


JSON = "application/json"
# A probe takes milliseconds. Who takes longer ends, and the oldest of so many connections.
REQUEST_SECONDS = 15.0
MOST_CONNECTIONS = 64


class _Bounded(ThreadingWSGIServer):
    """A thread for each connection, of which the oldest end when there are too many, and each after some seconds."""

    request_queue_size = 2 * MOST_CONNECTIONS  # the library's 5 make a probe beside others wait for a second SYN

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ends: dict[Any, float] = {}
        self._lock = threading.Lock()
        if ":" in args[0][0]:
            self.address_family = socket.AF_INET6
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._ends[request] = time.monotonic() + REQUEST_SECONDS
        self._end_connections()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._ends.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called by ``serve_forever``, twice in a second."""
        self._end_connections()

    def _end_connections(self) -> None:
        with self._lock:
            now, many = time.monotonic(), len(self._ends) - MOST_CONNECTIONS
            over = [request for place, (request, end) in enumerate(self._ends.items()) if end < now or place < many]
            for request in over:
                del self._ends[request]
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)  # its thread reads the end, and closes it


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
