"""Errors as RFC 9457 problem+json: one shape for every error a client can see, never a stack trace."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, json, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException

from ..database import changed_meanwhile
from ..errors import DeadlineExceeded, DependencyUnavailable, InvalidToken, ScopeMissing, UnusableAnswer
from ..telemetry.correlation import current_request_id

log = logging.getLogger(__name__)


CHANGED_MEANWHILE = "Another request changed it at the same time, and nothing was done. Look at it anew and try again."


class Fault(BaseModel):
    """One fault in a request; ``pointer`` says where (RFC 6901)."""

    pointer: str
    detail: str


class ProblemDetails(BaseModel):
    """RFC 9457, as it stands in OpenAPI."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    request_id: str | None = None
    errors: list[Fault] = Field(default_factory=list, exclude_if=lambda errors: not errors)


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
        """As application/problem+json; only while a request is answered, whose path it names."""
        body, _ = problem_json(self.status, self.detail, instance=request.path, errors=self.errors)
        return Response(body, self.status.value, self.headers, content_type="application/problem+json")


def problem_json(
    status: int, detail: str, *, instance: str = "", errors: list[dict[str, str]] | None = None
) -> tuple[bytes, str]:
    """The body, and the status as it stands in the first line of an answer."""
    known = HTTPStatus(status)
    body: dict[str, object] = {
        "type": "about:blank",
        "title": known.phrase,
        "status": known.value,
        "detail": detail,
        "instance": instance,
        "request_id": current_request_id(),
    }
    if errors:
        body["errors"] = errors
    return json.dumps(body).encode(), f"{known.value} {known.phrase}"


def handle_problems(app: Flask, statuses: Mapping[type[Exception], int]) -> None:
    """Turns every error into a problem. ``statuses`` maps a service's own errors to a status."""

    def known(error: Exception) -> Response:
        return Problem(statuses[next(c for c in type(error).__mro__ if c in statuses)], str(error)).response()

    for error_class in statuses:
        app.register_error_handler(error_class, known)
    handle_chassis_errors(app)
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(Exception, _unexpected)


def handle_chassis_errors(app: Flask) -> None:
    """Turns errors of the chassis into problems, and no others."""
    for error_class, answer in _ANSWERS.items():
        app.register_error_handler(error_class, answer)


def problem_of(error: Exception) -> Response:
    """The answer to an error of the chassis."""
    return _ANSWERS[next(c for c in type(error).__mro__ if c in _ANSWERS)](error)


def _from_werkzeug(error: HTTPException) -> Response:
    headers = {k: v for k, v in error.get_headers() if k.lower() in {"allow", "retry-after"}}
    return Problem(error.code or 500, error.description or "", headers=headers).response()


def _unavailable(error: DependencyUnavailable) -> Response:
    log.warning("a dependency is away: %s", error)
    detail = "A part this service depends on is not available. Try again; look first whether a change took effect."
    return Problem(503, detail, headers={"Retry-After": "1"}).response()


def _given_up(error: DeadlineExceeded) -> Response:
    return Problem(504, f"Given up: {error}.").response()


def _unusable(error: UnusableAnswer) -> Response:
    log.error("another service: %s", error)
    return Problem(502, "A part this service depends on gave an answer that can't be used.").response()


def _unauthenticated(error: InvalidToken) -> Response:
    # RFC 6750: without a token the challenge names no error
    challenge = "Bearer" if error.reason == "missing" else f'Bearer error="invalid_token", error_description="{error}"'
    return Problem(401, f"Not authenticated: {error}.", headers={"WWW-Authenticate": challenge}).response()


def _forbidden(error: ScopeMissing) -> Response:
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    return Problem(403, f"Not allowed: {error}.", headers=challenge).response()


def _unexpected(error: Exception) -> Response:
    if changed_meanwhile(error):
        return Problem(409, CHANGED_MEANWHILE).response()
    log.error("unexpected error", exc_info=error)
    return Problem(500, "An unexpected error happened. The log has it under this request_id.").response()


_ANSWERS: dict[type[Exception], Callable[[Any], Response]] = {
    Problem: Problem.response,
    DependencyUnavailable: _unavailable,
    DeadlineExceeded: _given_up,
    UnusableAnswer: _unusable,
    InvalidToken: _unauthenticated,
    ScopeMissing: _forbidden,
}
