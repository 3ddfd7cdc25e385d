"""The Flask application every service starts from: routes, problems, limits, health, metrics, contract."""

from collections.abc import Mapping, Sequence

from flask import Flask, Response, jsonify
from flask.json.provider import DefaultJSONProvider
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics

from ..auth.tokens import Verifier
from ..config import HttpSettings
from ..database import Database
from ..telemetry.health import Health
from ..telemetry.requests import RequestMetrics
from .api import Api, Standing
from .edge import Edge
from .openapi import serve_openapi
from .problems import handle_problems


class _InOrder(DefaultJSONProvider):
    sort_keys = False  # fields in the order of the model


def create_app(
    service: str,
    *,
    apis: Sequence[Api],
    settings: HttpSettings,
    health: Health,
    problems: Mapping[type[Exception], int] = {},
    version: str = "dev",
    database: Database | None = None,
    verifier: Verifier | None = None,
    registry: CollectorRegistry = REGISTRY,
) -> Flask:
    """Builds the application. ``problems`` maps the service's own errors to HTTP statuses."""
    app = Flask(service, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json = _InOrder(app)
    # For the service's own metrics by its decorators; requests are counted at the edge, at a tenth of the cost.
    app.extensions["slipway.metrics"] = PrometheusMetrics(app, path=None, export_defaults=False, registry=registry)
    handle_problems(app, problems)
    _add_health(app, health)
    app.extensions["slipway.openapi"] = serve_openapi(
        app, apis, Standing(database=database, verifier=verifier), service=service, version=version
    )
    app.wsgi_app = Edge(app.wsgi_app, RequestMetrics(service, registry))  # type: ignore[method-assign]
    return app


def _add_health(app: Flask, health: Health) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        """Alive: asks nothing else, since a restart mends no database."""
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        ready, body = health.readiness()
        return jsonify(body), 200 if ready else 503
