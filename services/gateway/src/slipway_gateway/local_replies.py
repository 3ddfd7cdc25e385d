"""What the gateway says itself: problems in the services' shape, and a line in the log for each request."""

from http import HTTPStatus
from typing import Any

from .extensions import JWT, extension
from .filters import FAILURE, TRACE_NAMESPACE
from .settings import GatewaySettings

ECS_VERSION = "8.17"
# https://github.com/google/jwt_verify_lib names it so.
KEYS_AWAY = "Jwks remote fetch is failed"
PATH = "%PATH(NQ:ORIG_OR_PATH)%"
# Of the errors Envoy answers with by itself; what each means for the client.
DETAILS = {
    HTTPStatus.PERMANENT_REDIRECT: "This is served by HTTPS alone.",
    HTTPStatus.BAD_REQUEST: "The request is not valid HTTP, or its path is written in a way that is not accepted.",
    HTTPStatus.UNAUTHORIZED: "Not authenticated: send the header Authorization: Bearer TOKEN with a valid token.",
    HTTPStatus.FORBIDDEN: "Not allowed: the token lacks a scope that this needs.",
    HTTPStatus.NOT_FOUND: "There is nothing here.",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive in time.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is too large.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests from this address. Try again after the time in Retry-After.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The request's headers are too large.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "An unexpected error happened. The log has it under this request_id.",
    HTTPStatus.NOT_IMPLEMENTED: "This kind of request is not known here.",
    HTTPStatus.BAD_GATEWAY: "The service gave an answer that can't be used.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The service is not available. Try again; look first whether a change took effect.",
    HTTPStatus.GATEWAY_TIMEOUT: "The service did not answer in time. Look first whether a change took effect.",
}


def local_replies() -> dict[str, Any]:
    return {
        "mappers": [
            _without_keys(grpc=True),
            _grpc(),
            _without_keys(grpc=False),
            _wrong_audience(),
            *[_problem(status, detail) for status, detail in DETAILS.items()],
        ],
        "body_format": _body("Error", "The gateway refused this request."),
    }


IS_GRPC = {"header_filter": {"header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}}}


def _grpc() -> dict[str, Any]:
    """Calls of gRPC have a form of their own; their message stays a sentence."""
    return {"filter": IS_GRPC, "body_format_override": _text("%LOCAL_REPLY_BODY%")}


def _text(sentence: str) -> dict[str, Any]:
    return {"text_format_source": {"inline_string": sentence}, "content_type": "text/plain"}


def _problem(status: HTTPStatus, detail: str) -> dict[str, Any]:
    mapper: dict[str, Any] = {"filter": _is(status), "body_format_override": _body(status.phrase, detail)}
    if status is HTTPStatus.FORBIDDEN:
        mapper["headers_to_add"] = [_challenge("insufficient_scope")]
    return mapper


def _without_keys(*, grpc: bool) -> dict[str, Any]:
    """Envoy says 401 to every token while it could not fetch the issuer's keys; but the token may be a good one."""
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after = {"header": {"key": "Retry-After", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    failed = _token_failed("message", {"string_match": {"exact": KEYS_AWAY}})
    detail = "The keys that tokens are checked with are not there yet."
    return {
        "filter": {"and_filter": {"filters": [_is(HTTPStatus.UNAUTHORIZED), failed, *([IS_GRPC] if grpc else [])]}},
        "status_code": status.value,
        "body_format_override": _text(detail) if grpc else _body(status.phrase, detail),
        "headers_to_add": [retry_after],
    }


def _token_failed(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """Whether the check of the token failed, by what the filter left in the metadata."""
    matcher = {"filter": JWT, "path": [{"key": FAILURE}, {"key": key}], "value": value}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def _wrong_audience() -> dict[str, Any]:
    """Envoy says 403 to a token that is meant for others; who is asking is then not known: 401, as services say."""
    by_token = _token_failed("code", {"present_match": True})
    status = HTTPStatus.UNAUTHORIZED
    return {
        "filter": {"and_filter": {"filters": [_is(HTTPStatus.FORBIDDEN), by_token]}},
        "status_code": status.value,
        "body_format_override": _body(status.phrase, DETAILS[status]),
        "headers_to_add": [_challenge("invalid_token")],
    }


def _is(status: HTTPStatus) -> dict[str, Any]:
    value = {"default_value": status.value, "runtime_key": f"gateway.answer_{status.value}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _challenge(error: str) -> dict[str, Any]:
    header = {"key": "WWW-Authenticate", "value": f'Bearer error="{error}"'}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _body(title: str, detail: str) -> dict[str, Any]:
    return {
        "json_format": {
            "type": "about:blank",
            "title": title,
            "status": "%RESPONSE_CODE%",
            "detail": detail,
            "instance": PATH,
            "request_id": "%REQ(X-REQUEST-ID)%",
        },
        "content_type": "application/problem+json",
    }


def access_log(settings: GatewaySettings) -> dict[str, Any]:
    """The keys of the services' access lines (``slipway_chassis.telemetry.logs``). Queries are not logged: they
    may hold secrets.
    """
    traced = bool(settings.telemetry.otlp_endpoint)
    line = {
        "@timestamp": "%START_TIME(%Y-%m-%dT%H:%M:%S.%6f+00:00)%",
        "log.level": "info",
        "log.logger": "slipway.access",
        "message": f"%REQ(:METHOD)% {PATH} %RESPONSE_CODE%",
        "ecs.version": ECS_VERSION,
        "service.name": "gateway",
        "service.version": "%ENVIRONMENT(SERVICE_VERSION)%",
        "process.title": "gateway",
        "http.request.method": "%REQ(:METHOD)%",
        "url.path": PATH,
        "event.duration": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:ns)%",
        "http.response.status_code": "%RESPONSE_CODE%",
        "trace.id": "%TRACE_ID%" if traced else f"%DYNAMIC_METADATA({TRACE_NAMESPACE}:trace_id)%",
        "span.id": "%SPAN_ID%" if traced else f"%DYNAMIC_METADATA({TRACE_NAMESPACE}:span_id)%",
        "http.request.id": "%REQ(X-REQUEST-ID)%",
        "client.ip": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "event.reason": "%RESPONSE_CODE_DETAILS%",
        "destination.service": "%UPSTREAM_CLUSTER%",
        "destination.address": "%UPSTREAM_HOST%",
    }
    return extension(
        "envoy.access_loggers.stdout",
        "access_loggers.stream.v3.StdoutAccessLog",
        log_format={"json_format": line, "omit_empty_values": True},
    )
