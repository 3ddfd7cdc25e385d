"""The outermost layer of a service's HTTP: what is done for every request before Flask sees it.

One WSGI layer instead of Flask's hooks: it costs less, and it also covers what Flask refuses by itself.
Request id, trace, deadline, the access log; made-up methods end here, before metrics count them.
"""

import logging
import time
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .. import deadline
from ..errors import DeadlineExceeded
from ..telemetry.correlation import OpenSpan, request_id_of
from .problems import problem_json

log = logging.getLogger("slipway.access")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
PROBES = {"/healthz", "/readyz"}
DEADLINE_VARIABLE = "HTTP_X_REQUEST_DEADLINE"


class Edge:
    """``rule`` tells the route of the request in hand (``/v1/orders/<id>``): raw paths are no names."""

    def __init__(self, inner: WSGIApplication, *, rule: Callable[[WSGIEnvironment], str]) -> None:
        self._inner = inner
        self._rule = rule

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        answered = [""]
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        with request_id_of(environ.get("HTTP_X_REQUEST_ID")) as request_id:

            def answer(status: str, headers: list[tuple[str, str]], *rest: object) -> object:
                answered[0] = status
                headers.append(("X-Request-Id", request_id))
                return start_response(status, headers, *rest)  # type: ignore[arg-type]

            if method not in METHODS:
                return _refuse(answer, 501, "This method is not known.")
            opened = OpenSpan(method, kind="server", parent=environ.get("HTTP_TRACEPARENT"))
            error: BaseException | None = None
            try:
                if DEADLINE_VARIABLE in environ:
                    return self._before_deadline(environ, answer)
                return self._inner(environ, answer)
            except BaseException as raised:
                error = raised
                raise
            finally:
                if path not in PROBES:
                    _log_access(method, path, answered[0], started)
                opened.span.put("http.route", self._rule(environ))
                opened.span.put("http.response.status_code", int(answered[0][:3] or 0))
                opened.close(error)

    def _before_deadline(self, environ: WSGIEnvironment, answer: Callable[..., object]) -> Iterable[bytes]:
        try:
            end = deadline.parse(environ[DEADLINE_VARIABLE], now=time.time())
        except ValueError as error:
            return _refuse(answer, 400, f"{error}.")
        with deadline.until(end):
            try:
                deadline.timeout(default=1.0)
            except DeadlineExceeded as error:
                return _refuse(answer, 504, f"Not begun: {error}.")
            return self._inner(environ, answer)  # type: ignore[arg-type]


def _refuse(answer: Callable[..., object], status: int, detail: str) -> list[bytes]:
    body, line = problem_json(status, detail)
    answer(line, [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body)))])
    return [body]


def _log_access(method: str, path: str, status: str, started: float) -> None:
    log.info(
        "%s %s %s",
        method,
        path,
        status[:3],
        extra={
            "http.request.method": method,
            "url.path": path,
            "http.response.status_code": int(status[:3] or 0),
            "event.duration": int((time.perf_counter() - started) * 1e9),
        },
    )
