"""Errors as RFC 9457 problem+json: one shape for every error a client can see, never a stack trace."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException

from ..errors import DependencyUnavailable
from ..telemetry.correlation import current_request_id

log = logging.getLogger(__name__)


class Problem(Exception):  # RFC 9457's word
    """An answer with an error status. ``errors`` lists single faults: ``{"pointer", "detail"}``."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] = {},
    ) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.detail = detail
        self.errors = errors
        self.headers = headers

    def response(self) -> Response:
        body: dict[str, object] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            "instance": request.path,
            "request_id": current_request_id(),
        }
        if self.errors:
            body["errors"] = self.errors
        return Response(json.dumps(body), self.status.value, self.headers, content_type="application/problem+json")


def handle_problems(app: Flask, statuses: Mapping[type[Exception], int]) -> None:
    """Turns every error into a problem. ``statuses`` maps a service's own errors to a status."""

    def known(error: Exception) -> Response:
        return Problem(statuses[next(c for c in type(error).__mro__ if c in statuses)], str(error)).response()

    for error_class in statuses:
        app.register_error_handler(error_class, known)
    app.register_error_handler(Problem, Problem.response)
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(DependencyUnavailable, _unavailable)
    app.register_error_handler(Exception, _unexpected)


def _from_werkzeug(error: HTTPException) -> Response:
    headers = {k: v for k, v in error.get_headers() if k.lower() in {"allow", "retry-after"}}
    return Problem(error.code or 500, error.description or "", headers=headers).response()


def _unavailable(error: DependencyUnavailable) -> Response:
    log.warning("a dependency is away: %s", error)
    detail = "A part this service depends on is not available. Try again; look first whether a change took effect."
    return Problem(503, detail, headers={"Retry-After": "1"}).response()


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return Problem(500, "An unexpected error happened. The log has it under this request_id.").response()
