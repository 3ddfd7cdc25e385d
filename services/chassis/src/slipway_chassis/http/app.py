"""The Flask application every service starts from: routes, problems, limits, health, metrics, contract."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from flask import Blueprint, Flask, Response, current_app, jsonify
from flask import request as flask_request
from flask.json.provider import DefaultJSONProvider
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics

from ..config import HttpSettings
from ..resources import Resources
from ..telemetry.health import Health
from ..telemetry.requests import RequestMetrics
from .api import Api
from .edge import Edge, name_rule
from .openapi import serve_openapi
from .problems import handle_problems

PARTS = "slipway.parts"
RESOURCES = "slipway.resources"
NO_RESOURCES = Resources()
PartsT = TypeVar("PartsT")


def current_parts(kind: type[PartsT]) -> PartsT:
    """What the service's ``parts`` built for this process; TypeError when it is something else."""
    parts = current_app.extensions[PARTS]
    if not isinstance(parts, kind):
        raise TypeError(f"the service was declared with parts of {type(parts).__name__}, not {kind.__name__}")
    return parts


def current_resources() -> Resources:
    """What this process has built for its service: database, verifier, settings; in a request of its application."""
    resources: Resources = current_app.extensions[RESOURCES]
    return resources


def _name_rule() -> None:
    """Metrics and logs name a page by its rule; an ``Api`` does this by itself."""
    if flask_request.url_rule is not None:
        name_rule(flask_request.url_rule.rule)


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
    pages: Sequence[Blueprint] = (),
    resources: Resources = NO_RESOURCES,
    parts: object = None,
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
    app.extensions["slipway.openapi"] = serve_openapi(app, apis, resources, service=service, version=version)
    app.extensions |= {PARTS: parts, RESOURCES: resources}
    if pages:
        app.before_request(_name_rule)
    for blueprint in pages:
        app.register_blueprint(blueprint)
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
