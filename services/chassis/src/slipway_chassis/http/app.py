"""The Flask application every service starts from: routes, problems, limits, health, metrics, contract."""

from collections.abc import Mapping, Sequence
from wsgiref.types import WSGIEnvironment

from flask import Flask, Response, jsonify, request
from flask.json.provider import DefaultJSONProvider
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics

from ..auth.tokens import Verifier
from ..config import HttpSettings
from ..database import Database
from ..telemetry.health import Health
from .api import Api
from .edge import Edge
from .openapi import serve_openapi
from .problems import handle_problems

RULE = "slipway.rule"


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
    app.extensions |= {"slipway.database": database, "slipway.verifier": verifier}
    # by url_rule: raw paths would make a series for every id and every scan of the internet
    PrometheusMetrics(app, path=None, group_by="url_rule", default_labels={"service": service}, registry=registry)
    handle_problems(app, problems)
    _add_health(app, health)
    app.extensions["slipway.openapi"] = serve_openapi(app, apis, service=service, version=version)
    app.after_request(_note_rule)
    app.wsgi_app = Edge(app.wsgi_app, rule=_rule)  # type: ignore[method-assign]
    return app


def _note_rule(response: Response) -> Response:
    request.environ[RULE] = request.url_rule.rule if request.url_rule else ""
    return response


def _rule(environ: WSGIEnvironment) -> str:
    rule: str = environ.get(RULE, "")
    return rule


def _add_health(app: Flask, health: Health) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        """Alive: asks nothing else, since a restart mends no database."""
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        ready, body = health.readiness()
        return jsonify(body), 200 if ready else 503


