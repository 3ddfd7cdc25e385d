"""gunicorn, with the settings that a Kubernetes pod behind a proxy needs; the reasons stand beside them."""

import gc
import logging
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.http.message import Request

from .. import certificates
from ..certificates import TlsSettings
from ..config import HttpSettings, ProcessSettings
from ..errors import ConfigurationError
from ..outgoing import joined
from ..telemetry.admin import serve_admin
from ..telemetry.health import Health
from .callers import Callers
from .worker import Worker

log = logging.getLogger(__name__)
MEMORY_FOLDER = "/dev/shm"  # noqa: S108 # private to the pod; not there on macOS


class WebSettings(ProcessSettings, HttpSettings, TlsSettings):
    """Settings of a process that answers HTTP."""


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    def __init__(
        self,
        build: Callable[[], tuple[Flask, Health]],
        options: dict[str, object],
        callers: frozenset[str] = frozenset(),
    ) -> None:
        self._build = build
        self._callers = callers
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        try:
            app, self.health = self._build()
            if self._callers:
                app.wsgi_app = Callers(app.wsgi_app, self._callers)  # type: ignore[method-assign]
        except ConfigurationError as error:
            raise AppImportError(f"error: {error}") from None  # gunicorn prints it and ends, without a traceback
        return app


def serve(
    build: Callable[[], tuple[Flask, Health]], settings: WebSettings, closing: Callable[[], bool] = lambda: False
) -> None:
    """Serves until SIGTERM, then finishes what is in flight. ``build`` runs in the worker, after the fork. While
    ``closing`` says so, no connection is kept.
    """

    def start_admin(worker: Worker) -> None:
        worker.closing, worker.request_seconds = closing, settings.request_timeout
        worker.certificates = tls
        server.health.drain_when(lambda: not worker.alive)
        port = serve_admin(settings.bind_host, settings.admin_port, server.health)
        # What is loaded by now stays: without this, each full collection walks all of it again.
        gc.collect()
        gc.freeze()
        log.info("serving on port %d, health and metrics on %d", settings.http_port, port)

    def close_when_draining(_worker: Worker, request: Request) -> None:
        # A kept-alive connection would go on to this pod until it is gone: answer and close it.
        if closing() or server.health.draining:
            request.force_close()

    def when_ready(arbiter: Arbiter) -> None:
        # Inherited by accepted connections (Linux). gthread itself waits for ever for the rest of a request: as many
        # slow clients as threads would stop the process while it looks healthy. The worker bounds the whole.
        for listener in arbiter.LISTENERS:
            listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", settings.read_timeout, 0))

    def log_as_json(_arbiter: Arbiter) -> None:
        for name in ("gunicorn.error", "gunicorn.access"):
            logging.getLogger(name).handlers.clear()
            logging.getLogger(name).propagate = True

    try:
        tls = certificates.serving(settings)
    except ConfigurationError as error:
        sys.exit(f"error: {error}")
    server = _Server(
        build,
        {
            # Named, so that a request's scheme is https; the worker itself shakes hands.
            "certfile": settings.tls_certificate_file or None,
            "keyfile": settings.tls_key_file or None,
            "bind": joined(settings.bind_host, settings.http_port),
            "worker_class": Worker,
            # One worker with threads: metrics need no multiprocess mode then; scale by pods.
            "workers": 1,
            "threads": settings.http_threads,
            "graceful_timeout": settings.graceful_timeout,
            # Above the gateway's idle timeout (2 s, clusters.IDLE_SECONDS), else it reuses a connection that is being
            # closed: 502. A version without traffic closes silent ones sooner (worker.SILENT_SECONDS).
            "keepalive": 75,
            # The heartbeat file: on a slow disk it would get healthy workers killed.
            "worker_tmp_dir": MEMORY_FOLDER if Path(MEMORY_FOLDER).is_dir() else None,
            "control_socket_disable": True,  # needs a writable file system; nothing uses it
            "limit_request_line": 8190,
            "limit_request_field_size": 16384,
            "accesslog": None,  # the application writes the access log, as JSON
            "when_ready": when_ready,
            "on_starting": log_as_json,
            "post_worker_init": start_admin,
            "pre_request": close_when_draining,
        },
        settings.callers,
    )
    # The arbiter forks the worker: a collection in either would write to pages that they share, and so copy them.
    gc.collect()
    gc.freeze()
    server.run()
