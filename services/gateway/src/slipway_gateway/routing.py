"""Which request goes where, and what it needs for that. What is not named here reaches no service."""

import re
from collections.abc import Sequence
from typing import Any

from .extensions import BUFFER, CORS, JWT, RATE_LIMIT, RBAC, TRANSCODER, seconds, typed
from .filters import PAYLOAD, TOKEN, rate_limit
from .settings import GatewaySettings, Route

# Of a body that is streamed, so much is kept while it is tried, so that it can be tried again.
LARGEST_REPEATED_STREAM = 1024 * 1024
# A body that the buffer filter has kept is counted twice by the router: as what was kept, and as what comes.
COUNTED = 2
# What services tell each other, and what proxies of other makes say of who is asking: from strangers nobody wants it.
INTERNAL_HEADERS = (
    "x-request-deadline",
    "grpc-timeout",
    "baggage",
    "x-forwarded-user",
    "x-original-url",
    "x-remote-user",
    "x-rewrite-url",
    "x-user",
)
# What a trusted proxy in front says of the client's request.
OF_A_PROXY = ("forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip")
RETRIES = 2
# Hosts are drawn at random, and the last one drawn is taken even if it was tried before. Of two hosts the dead one is
# drawn so often in a row once in a million retries; with 3 it was once in 16, and one request in 512 failed.
HOST_DRAWS = 19
# Safe for every method: nothing of the request has reached a service yet.
NOTHING_SENT = "connect-failure,refused-stream,reset-before-request"
SAFE_TO_REPEAT = f"{NOTHING_SENT},gateway-error,reset"
_UNUSED = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
_GRPC_PATH = re.compile(r"^/[A-Za-z_][\w.]*\.[\w.]+(/\w+)?$")


# Who issues certificates asks there, by HTTP.
ACME = "/.well-known/acme-challenge"


def route_table(settings: GatewaySettings, *, tls: bool) -> dict[str, Any]:
    """Of the listener with or without ``tls``."""
    if settings.tls.enabled and settings.tls.redirect and not tls:
        challenges = [route for route in settings.routes if f"{route.where}/".startswith(f"{ACME}/")]
        routes = [*[_route(settings, route) for route in challenges], _to_https(settings)]
    else:
        routes = [*_preflight(settings), *[_route(settings, route) for route in settings.routes]]
    host: dict[str, Any] = {
        "name": "gateway",
        "domains": ["*"],
        "request_body_buffer_limit": LARGEST_REPEATED_STREAM,
        "routes": routes,
        # What a route does not say otherwise needs a token.
        "typed_per_filter_config": {},
    }
    if settings.auth:
        host["typed_per_filter_config"][JWT] = _requirement()
    if settings.cors.origins:
        host["typed_per_filter_config"][CORS] = _cors(settings.cors.origins)
    return {"name": "gateway", "virtual_hosts": [host]}


def _to_https(settings: GatewaySettings) -> dict[str, Any]:
    redirect = {
        "https_redirect": True,
        "port_redirect": settings.tls.public_port,
        "response_code": "PERMANENT_REDIRECT",
    }
    # Nothing of the request is read but its address.
    config = {BUFFER: typed("filters.http.buffer.v3.BufferPerRoute", disabled=True)}
    if settings.auth:
        config[JWT] = typed("filters.http.jwt_authn.v3.PerRouteConfig", disabled=True)
    if settings.transcode:
        config[TRANSCODER] = _UNUSED
    return {
        "name": "to HTTPS",
        "match": {"prefix": "/"},
        "redirect": redirect,
        "typed_per_filter_config": config,
    }


def _route(settings: GatewaySettings, route: Route) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": _name(route),
        "match": _match(route),
        "route": _action(route),
        "typed_per_filter_config": _per_route(settings, route),
        # Here and not for all routes at once: Envoy would remove what a route adds.
        "request_headers_to_remove": [*INTERNAL_HEADERS, *(() if settings.listen.trusted_hops else OF_A_PROXY)],
        # By which services count what one client does.
        "request_headers_to_add": [_said("x-client-address", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")],
    }
    if not route.streams_body:
        made["request_body_buffer_limit"] = COUNTED * (route.max_body_bytes or settings.request_body.max_bytes)
    if settings.upstreams[route.upstream].protocol == "grpc" and not route.stream:
        # No longer than the gateway waits.
        made["request_headers_to_add"].append(_said("grpc-timeout", f"{round(route.timeout_seconds * 1000)}m"))
    return made


def _said(name: str, value: str) -> dict[str, Any]:
    """A header that services may believe, whatever the client sent under its name."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _name(route: Route) -> str:
    return " ".join(["|".join(route.methods) or "*", route.where + ("" if route.path is not None else "/*")])


def _match(route: Route) -> dict[str, Any]:
    if route.path is not None:
        match: dict[str, Any] = {"path": route.path}
    elif route.prefix == "/":
        match = {"prefix": "/"}
    else:
        # /v1/users and /v1/users/7, not /v1/users-admin
        match = {"path_separated_prefix": route.prefix}
    if route.methods:
        one_of = {"safe_regex": {"regex": "|".join(route.methods)}}
        match["headers"] = [{"name": ":method", "string_match": one_of}]
    return match


def _action(route: Route) -> dict[str, Any]:
    action = {
        "cluster": route.upstream,
        "timeout": "0s" if route.stream else seconds(route.timeout_seconds),
        "retry_policy": {
            "retry_on": SAFE_TO_REPEAT if route.retries else NOTHING_SENT,
            "num_retries": RETRIES,
            "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.250s"},
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": typed("retry.host.previous_hosts.v3.PreviousHostsPredicate"),
                }
            ],
            "host_selection_retry_max_attempts": HOST_DRAWS,
        },
    }
    if route.stream:
        action["idle_timeout"] = "0s"
    return action


def _per_route(settings: GatewaySettings, route: Route) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if route.rate_limit:
        config[RATE_LIMIT] = rate_limit(settings, route.rate_limit)
    if settings.auth and route.public:
        config[JWT] = typed("filters.http.jwt_authn.v3.PerRouteConfig", disabled=True)
    if route.streams_body:
        config[BUFFER] = typed("filters.http.buffer.v3.BufferPerRoute", disabled=True)
    elif route.max_body_bytes:
        config[BUFFER] = typed(
            "filters.http.buffer.v3.BufferPerRoute", buffer={"max_request_bytes": route.max_body_bytes}
        )
    if route.scopes:
        config[RBAC] = _needs(route.scopes)
    if settings.transcode and not _is_transcoded(settings.transcode.upstream, route):
        config[TRANSCODER] = _UNUSED
    return config


def _is_transcoded(upstream: str, route: Route) -> bool:
    return route.upstream == upstream and not _GRPC_PATH.match(route.where)


def _requirement() -> dict[str, Any]:
    return typed("filters.http.jwt_authn.v3.PerRouteConfig", requirement_name=TOKEN)


def _needs(scopes: Sequence[str]) -> dict[str, Any]:
    principals = [{"sourced_metadata": {"metadata_matcher": _granted(scope)}} for scope in scopes]
    policy = {"permissions": [{"any": True}], "principals": [{"and_ids": {"ids": principals}}]}
    rules = {"action": "ALLOW", "policies": {"scopes": policy}}
    return typed("filters.http.rbac.v3.RBACPerRoute", rbac={"rules": rules})


def _granted(scope: str) -> dict[str, Any]:
    """The word is in the list that was made of the token's scope; parts of words do not count."""
    return {
        "filter": JWT,
        "path": [{"key": PAYLOAD}, {"key": "scope"}],
        "value": {"list_match": {"one_of": {"string_match": {"exact": scope}}}},
    }


def _cors(origins: Sequence[str]) -> dict[str, Any]:
    return typed(
        "filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in origins],
        allow_methods="GET, HEAD, POST, PUT, PATCH, DELETE",
        allow_headers="authorization, content-type, idempotency-key, if-match, traceparent",
        expose_headers="etag, location, retry-after, x-request-id",
        max_age="600",
    )


def _preflight(settings: GatewaySettings) -> list[dict[str, Any]]:
    """Questions of browsers are answered by the filter, for known origins and whatever the path.

    It needs a route to a service for that. Should a question ever pass the filter, it is refused here.
    """
    config = {RBAC: typed("filters.http.rbac.v3.RBACPerRoute", rbac={"rules": {"action": "ALLOW", "policies": {}}})}
    if settings.auth:
        config[JWT] = typed("filters.http.jwt_authn.v3.PerRouteConfig", disabled=True)
    return [
        {
            "name": f"preflight of {origin}",
            "match": {"prefix": "/", "headers": _asks(origin)},
            "route": {"cluster": next(iter(settings.upstreams))},
            "typed_per_filter_config": config,
        }
        for origin in settings.cors.origins
    ]


def _asks(origin: str) -> list[dict[str, Any]]:
    wanted: dict[str, Any] = {
        ":method": {"exact": "OPTIONS"},
        "origin": {"exact": origin},
        "access-control-request-method": {"safe_regex": {"regex": ".+"}},
    }
    return [{"name": name, "string_match": match} for name, match in wanted.items()]
