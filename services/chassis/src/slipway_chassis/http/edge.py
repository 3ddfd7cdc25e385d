"""The outermost layer of a service's HTTP: what is done for every request before Flask sees it.

One WSGI layer instead of Flask's hooks: it costs less, and it also covers what Flask refuses by itself.
Request id, trace, deadline, metrics, the access log; made-up methods end here, before metrics count them.
"""

import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .. import deadline
from ..auth.scopes import principal_of_call
from ..auth.tokens import Principal
from ..errors import DeadlineExceeded
from ..telemetry.correlation import OpenSpan, begin_request, end_request
from ..telemetry.logs import log_access
from ..telemetry.requests import RequestMetrics
from .problems import problem_json

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PROBES = {"/healthz", "/readyz"}
DEADLINE_VARIABLE = "HTTP_X_REQUEST_DEADLINE"

_request: ContextVar["Request | None"] = ContextVar("request", default=None)


class Request:
    """What the edge learns of a request while it is answered."""

    __slots__ = ("environ", "principal", "request_id", "rule", "start_response", "status")

    def __init__(self, environ: WSGIEnvironment, request_id: str, start_response: StartResponse) -> None:
        self.environ = environ
        self.request_id = request_id
        self.principal: Principal | None = None
        self.start_response = start_response
        self.rule = ""
        self.status = "500"

    def answer(self, status: str, headers: list[tuple[str, str]], *rest: object) -> object:
        """WSGI's start_response: notes the status and adds the request id, where the application has none."""
        self.status = status[:3]
        if all(name.lower() != "x-request-id" for name, _ in headers):
            headers.append(("X-Request-Id", self.request_id))
        return self.start_response(status, headers, *rest)  # type: ignore[arg-type]


def current_request() -> Request:
    """The request in hand; LookupError outside of one."""
    request = _request.get()
    if request is None:
        raise LookupError("there is no request: this is called by a route of an Api, behind its Edge")
    return request


def name_rule(rule: str) -> None:
    """What metrics and logs call the request in hand, if there is one: a path would make a series for each."""
    request = _request.get()
    if request is not None:
        request.rule = rule


def current_principal() -> Principal | None:
    """Who is asking, in a request or a gRPC call; None where no token was asked for."""
    request = _request.get()
    return request.principal if request else principal_of_call.get()


class Edge:
    """One WSGI layer around the application: request id, trace, deadline, metrics and access log (ADR 5).

    ``metrics`` None: the application counts its requests by itself. ``methods``: others are refused.
    """

    def __init__(
        self, inner: WSGIApplication, metrics: RequestMetrics | None, methods: frozenset[str] = METHODS
    ) -> None:
        self._inner = inner
        self._metrics = metrics
        self._methods = methods

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        request_id, token = begin_request(environ.get("HTTP_X_REQUEST_ID"))
        request = Request(environ, request_id, start_response)
        if method not in self._methods:
            end_request(token)
            return _refuse(request.answer, 501, "This method is not known.")
        request_token = _request.set(request)
        opened = OpenSpan(method, kind="server", parent=environ.get("HTTP_TRACEPARENT"))
        error: BaseException | None = None
        try:
            if DEADLINE_VARIABLE in environ:
                return self._before_deadline(environ, request.answer)
            return self._inner(environ, request.answer)  # type: ignore[arg-type]
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - started
            if path not in PROBES:
                if self._metrics:
                    self._metrics.observe(method, request.rule, request.status, seconds)
                _log(method, path, request, seconds)
            opened.put("http.route", request.rule)
            opened.put("http.response.status_code", int(request.status))
            opened.close(error)
            _request.reset(request_token)
            end_request(token)

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


def _log(method: str, path: str, request: Request, seconds: float) -> None:
    log_access(
        f"{method} {path} {request.status}",
        nanoseconds=int(seconds * 1e9),
        fields={"http.request.method": method, "url.path": path},
        number="http.response.status_code",
        value=int(request.status),
    )
