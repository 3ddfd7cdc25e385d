"""The Flask application every service starts from: correlation, problems, limits, health, metrics, access log."""

import json
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Blueprint, Flask, Response, g, jsonify, request
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics

from ..config import HttpSettings
from ..telemetry.correlation import correlated, current_request_id
from ..telemetry.health import Health
from .problems import handle_problems

log = logging.getLogger("slipway.access")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
PROBES = {"/healthz", "/readyz"}


def create_app(
    service: str,
    *,
    settings: HttpSettings,
    health: Health,
    routes: Blueprint,
    problems: Mapping[type[Exception], int],
    registry: CollectorRegistry = REGISTRY,
) -> Flask:
    """Builds the application. ``problems`` maps the service's own errors to HTTP statuses."""
    app = Flask(service, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined] # fields in the order of the model
    _correlate(app)
    # by url_rule: raw paths would make a series for every id and every scan of the internet
    PrometheusMetrics(app, path=None, group_by="url_rule", default_labels={"service": service}, registry=registry)
    handle_problems(app, problems)
    _add_health(app, health)
    app.register_blueprint(routes)
    app.wsgi_app = _known_methods_only(app.wsgi_app)  # type: ignore[method-assign, assignment]
    return app


def _known_methods_only(inner: WSGIApplication) -> WSGIApplication:
    """Answers 501 before metrics count the request: a made-up method would be a new series each."""

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in METHODS:
            return inner(environ, start_response)
        body = json.dumps({"type": "about:blank", "title": "Not Implemented", "status": 501}).encode()
        start_response("501 Not Implemented", [("Content-Type", "application/problem+json")])
        return [body]

    return outer


def _correlate(app: Flask) -> None:
    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.correlation = ExitStack()
        g.correlation.enter_context(correlated({k.lower(): v for k, v in request.headers.items()}))

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = current_request_id() or ""
        if request.path not in PROBES:
            _log_access(response)
        return response

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        if "correlation" in g:
            g.correlation.close()


def _log_access(response: Response) -> None:
    log.info(
        "%s %s %d",
        request.method,
        request.path,
        response.status_code,
        extra={
            "http.request.method": request.method,
            "url.path": request.path,
            "http.response.status_code": response.status_code,
            "event.duration": int((time.perf_counter() - g.started) * 1e9),
        },
    )


def _add_health(app: Flask, health: Health) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        """Alive: asks nothing else, since a restart mends no database."""
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        ready, body = health.readiness()
        return jsonify(body), 200 if ready else 503
