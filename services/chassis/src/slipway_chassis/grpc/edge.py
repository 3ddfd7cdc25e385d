"""What is done around every gRPC call: request id, trace, deadline, token and scopes, metrics, errors."""

import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from prometheus_client import Counter, Histogram

from .. import deadline
from ..auth.scopes import authenticate, principal_of_call
from ..auth.tokens import Verifier
from ..caller_names import names_of, refusal
from ..database import changed_meanwhile
from ..errors import CallerRefused, DeadlineExceeded, DependencyUnavailable, InvalidToken, ScopeMissing
from ..telemetry.correlation import REQUEST_ID, TRACEPARENT, request_id_of, span
from ..telemetry.logs import log_access
from .places import Places, TooManyCalls

log = logging.getLogger(__name__)

CALLS = Counter("grpc_server_calls_total", "Completed gRPC calls", ["method", "code"])
SECONDS = Histogram("grpc_server_seconds", "Duration of gRPC calls, in seconds", ["method"])

OWN = ("/grpc.health.", "/grpc.reflection.")

# How a service's own errors, declared with HTTP statuses, are said in gRPC.
# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class GrpcEdge(grpc.ServerInterceptor):  # type: ignore[misc] # grpc has no types
    """``scopes`` per full method path; paths without an entry ask for no token. A call takes one of ``places`` when its
    first message is there. ``callers``: names of certificates; empty: whoever could connect.
    """

    def __init__(
        self,
        *,
        scopes: Mapping[str, frozenset[str]],
        verifier: Verifier | None,
        problems: Mapping[type[Exception], int],
        places: Places,
        callers: frozenset[str] = frozenset(),
    ) -> None:
        self._scopes = scopes
        self._callers = callers
        self._places = places
        self._verifier = verifier
        self._codes = [(InvalidToken, CODES[401]), (ScopeMissing, CODES[403]), (DependencyUnavailable, CODES[503])]
        self._codes += [(CallerRefused, CODES[403]), (TooManyCalls, CODES[429])]
        self._codes += [(DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED)]
        self._codes += [(error, CODES.get(status, grpc.StatusCode.UNKNOWN)) for error, status in problems.items()]

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        # A method nobody has is answered by grpc and counted by nobody. Health and reflection are grpc's own:
        # wrapped, each Watch would hold a thread.
        if handler is None or details.method.startswith(OWN):
            return handler
        metadata = dict(details.invocation_metadata)
        behaviour = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream

        def answer(request: Any, context: Any) -> Any:
            with self._around(details.method, metadata, context):
                return behaviour(request, context)

        def stream(request: Any, context: Any) -> Iterator[Any]:
            with self._around(details.method, metadata, context):
                yield from behaviour(request, context)

        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        return make(
            stream if handler.response_streaming else answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    @contextmanager
    def _around(self, method: str, metadata: Mapping[str, Any], context: Any) -> Iterator[None]:
        started = time.perf_counter()
        code = grpc.StatusCode.OK
        with (
            request_id_of(metadata.get(REQUEST_ID)),
            span(method.removeprefix("/"), kind="server", parent=metadata.get(TRACEPARENT)),
            deadline.until(_deadline_of(context)),
        ):
            try:
                if self._callers:
                    _check_caller(context, self._callers)
                with self._authenticated(method, metadata), self._places.taken():
                    yield
            except GeneratorExit:  # the client went away in the middle of a stream
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception as error:  # noqa: BLE001 # whatever it is, the caller gets a status
                code = self._code_of(error, context)
                self._abort(context, code, error)
            finally:
                seconds = time.perf_counter() - started
                CALLS.labels(method, code.name).inc()
                SECONDS.labels(method).observe(seconds)
                _log_access(method, code, seconds)

    @contextmanager
    def _authenticated(self, method: str, metadata: Mapping[str, Any]) -> Iterator[None]:
        scopes = self._scopes.get(method)
        if scopes is None:
            yield
            return
        principal = authenticate(self._verifier, str(metadata.get("authorization", "")), scopes)
        token = principal_of_call.set(principal)
        try:
            yield
        finally:
            principal_of_call.reset(token)

    def _code_of(self, error: Exception, context: Any) -> grpc.StatusCode:
        if context.code() is not None:  # the handler aborted by itself
            aborted: grpc.StatusCode = context.code()
            return aborted
        for error_class, code in self._codes:
            if isinstance(error, error_class):
                return code
        if changed_meanwhile(error):
            return grpc.StatusCode.ABORTED
        return grpc.StatusCode.INTERNAL

    def _abort(self, context: Any, code: grpc.StatusCode, error: Exception) -> NoReturn:
        if context.code() is not None:
            raise error
        if code is grpc.StatusCode.INTERNAL:
            log.error("unexpected error", exc_info=error)
            context.abort(code, "An unexpected error happened. The log has it under the request id.")
        if isinstance(error, DependencyUnavailable):
            log.warning("a dependency is away: %s", error)
            context.abort(code, "A part this service depends on is not available. Try again.")
        if code is grpc.StatusCode.ABORTED:
            context.abort(code, "Another call changed it at the same time. Nothing was done: read it and try again.")
        context.abort(code, str(error))
        raise AssertionError("abort raises")


def _check_caller(context: Any, callers: frozenset[str]) -> None:
    # Of its own list of names, gRPC cuts them at a NUL and does not say of which kind each is.
    [shown, *_] = context.auth_context().get("x509_pem_cert", [b""])
    if why := refusal(names_of(ssl.PEM_cert_to_DER_cert(shown.decode()) if shown else b""), callers):
        raise CallerRefused(why)


def _deadline_of(context: Any) -> float:
    # Without a deadline grpc says thousands of years.
    return time.time() + min(context.time_remaining() or deadline.FURTHEST_SECONDS, deadline.FURTHEST_SECONDS)


def _log_access(method: str, code: grpc.StatusCode, seconds: float) -> None:
    log_access(
        f"{method} {code.name}",
        nanoseconds=int(seconds * 1e9),
        fields={"rpc.method": method, "rpc.grpc.status_code": code.name},
    )
