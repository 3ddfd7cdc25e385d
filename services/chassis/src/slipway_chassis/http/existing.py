"""An existing Flask application as what a service answers with: what is around it is added, what is in it stays.

Its paths are its own: health, readiness and metrics are on the admin port. Requests are counted, traced and logged by
the WSGI layer outside of it. Its error pages, JSON, sessions, hooks and teardown are as before; errors of the chassis
alone are answered as problems.
"""

import functools
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar
from wsgiref.types import WSGIApplication

from flask import Flask, current_app, request_started
from flask import request as flask_request
from prometheus_client import CollectorRegistry

from ..auth.scopes import authenticate
from ..errors import ConfigurationError, DependencyUnavailable, InvalidToken, ScopeMissing
from ..telemetry.requests import RequestMetrics
from .app import current_resources
from .edge import METHODS, Edge, current_request, name_rule
from .problems import handle_chassis_errors, problem_of

log = logging.getLogger(__name__)

# The application, or a function that makes one: then each process, and each test, has its own.
Existing = Flask | Callable[[], Flask]

WRAPPED = "slipway.wrapped"
SCOPES = "slipway_scopes"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Wrapped:
    service: str
    inner: WSGIApplication


def require_existing(service: str, existing: object) -> None:
    """Raises ConfigurationError for what is neither an application nor a function that makes one."""
    if isinstance(existing, Flask):
        return
    try:
        inspect.signature(existing).bind()  # type: ignore[arg-type] # what is no function is told likewise
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{service}: app= takes a Flask application, or a function that makes one and needs no arguments, "
            f"not {existing!r:.100}"
        ) from None


def serve_existing(service: str, existing: Existing, registry: CollectorRegistry) -> Flask:
    """The application behind its edge. One that is given as such can be wrapped by one service alone."""
    app = existing if isinstance(existing, Flask) else existing()
    if not isinstance(app, Flask):
        raise ConfigurationError(
            f"{service}: the function given as app= made a {type(app).__name__}, not a Flask application"
        )
    before = app.extensions.get(WRAPPED)
    if before is None:
        _prepare(service, app)
        before = app.extensions[WRAPPED] = _Wrapped(service, app.wsgi_app)
    elif before.service != service:
        raise ConfigurationError(
            f"{service}: this Flask application is that of the service {before.service} already: "
            "pass a function that makes one to each"
        )
    methods = METHODS.union(*(rule.methods or () for rule in app.url_map.iter_rules()))
    app.wsgi_app = Edge(before.inner, _metrics(service, registry), methods)  # type: ignore[method-assign]
    return app


def _prepare(service: str, app: Flask) -> None:
    try:
        handle_chassis_errors(app)
    except AssertionError:  # Flask's word for it
        raise ConfigurationError(
            f"{service}: the Flask application has answered requests already, and can't be prepared any more: "
            "pass a function that makes one, service(..., app=create_app)"
        ) from None
    request_started.connect(_name_rule, app)


def _name_rule(_app: Flask, **_: Any) -> None:
    """Before the application's own hooks, which may answer by themselves."""
    if flask_request.url_rule is not None:
        name_rule(flask_request.url_rule.rule)


def _metrics(service: str, registry: CollectorRegistry) -> RequestMetrics | None:
    """None: it counts its requests by itself, under the same names (prometheus-flask-exporter)."""
    try:
        return RequestMetrics(service, registry)
    except ValueError:
        log.info("%s counts its requests by itself, as flask_http_request_duration_seconds", service)
        return None


def require_scopes(*scopes: str) -> Callable[[Callable[P, T]], Callable[P, Any]]:
    """Guards a view of one's own: 401 without a valid token, 403 without the scopes. ``current_principal`` says who it
    is. Stands below the route: ``@app.post("/notes")``, then this. Routes of an ``Api`` name their scopes instead.
    """

    def decorate(view: Callable[P, T]) -> Callable[P, Any]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                request = current_request()
                authorization = flask_request.headers.get("Authorization", "")
                request.principal = authenticate(current_resources().verifier, authorization, scopes)
            except (InvalidToken, ScopeMissing, DependencyUnavailable) as error:
                return problem_of(error)  # not raised: the application may have a handler for all that is
            return current_app.ensure_sync(view)(*args, **kwargs)

        setattr(guarded, SCOPES, scopes)
        return guarded

    return decorate


def guarded_views(app: Flask) -> list[str]:
    """Names of the views that need a token."""
    return [name for name, view in app.view_functions.items() if hasattr(view, SCOPES)]
