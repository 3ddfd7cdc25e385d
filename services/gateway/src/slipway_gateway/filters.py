"""What every request passes before it is routed, in order; routes refine it (``routing``)."""

from typing import Any

from .extensions import (
    BUFFER,
    CORS,
    HEADERS,
    JWT,
    METADATA,
    RATE_LIMIT,
    RBAC,
    ROUTER,
    TRANSCODER,
    extension,
    seconds,
    typed,
)
from .settings import Auth, GatewaySettings, RateLimit, Transcode

TOKEN = "token"  # noqa: S105 # the name of a rule
PAYLOAD = "payload"
FAILURE = "failure"
TRACE_NAMESPACE = "slipway.trace"
LONGEST_TOKEN = 8192
ALL = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
# Parts of a traceparent; anything else becomes nothing, so that no caller writes words into the log. Lengths
# are left open: Envoy refuses patterns as large as those with them.
_TRACE_ID = "^(?:[0-9a-f]+-([0-9a-f]+)-[0-9a-f]+-[0-9a-f]+|.*)$"
_SPAN_ID = "^(?:[0-9a-f]+-[0-9a-f]+-([0-9a-f]+)-[0-9a-f]+|.*)$"
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


def http_filters(settings: GatewaySettings, *, tls: bool) -> list[dict[str, Any]]:
    filters = [_security_headers(settings.tls.hsts_seconds if tls else 0)]
    if not settings.telemetry.otlp_endpoint:
        filters.append(_trace_of_caller())
    if settings.cors.origins:
        filters.append(extension(CORS, "filters.http.cors.v3.Cors"))
    filters.append({"name": RATE_LIMIT, "typed_config": rate_limit(settings, settings.rate_limit.per_client)})
    if settings.auth:
        filters.append(_tokens(settings, settings.auth))
    filters.append(extension(RBAC, "filters.http.rbac.v3.RBAC"))
    # Behind what refuses requests by their headers, and before what a service or the transcoder sees of them: a slow
    # body takes memory here, and no thread of a service.
    filters.append({"name": BUFFER, "typed_config": whole_body(settings.request_body.max_bytes)})
    if settings.transcode:
        filters.append(_transcoder(settings.transcode))
    # Envoy's own headers (x-envoy-upstream-service-time and others) are no business of clients.
    return [*filters, extension(ROUTER, "filters.http.router.v3.Router", suppress_envoy_headers=True)]


def _security_headers(hsts_seconds: int) -> dict[str, Any]:
    """On every answer, the gateway's own included. What a service sets itself stays."""
    headers = dict(SECURITY_HEADERS)
    if hsts_seconds:
        headers["Strict-Transport-Security"] = f"max-age={hsts_seconds}; includeSubDomains"
    mutations = [
        {"append": {"header": {"key": key, "value": value}, "append_action": "ADD_IF_ABSENT"}}
        for key, value in headers.items()
    ]
    return extension(
        HEADERS, "filters.http.header_mutation.v3.HeaderMutation", mutations={"response_mutations": mutations}
    )


def _trace_of_caller() -> dict[str, Any]:
    """Without a tracer Envoy knows no trace: the access log takes it from the caller's traceparent."""

    def part(key: str, pattern: str) -> dict[str, Any]:
        rewrite = {"pattern": {"regex": pattern}, "substitution": r"\1"}
        value = {"metadata_namespace": TRACE_NAMESPACE, "key": key, "type": "STRING", "regex_value_rewrite": rewrite}
        return {"header": "traceparent", "on_header_present": value, "remove": False}

    rules = [part("trace_id", _TRACE_ID), part("span_id", _SPAN_ID)]
    return extension(METADATA, "filters.http.header_to_metadata.v3.Config", request_rules=rules)


def rate_limit(settings: GatewaySettings, limit: RateLimit | None) -> dict[str, Any]:
    """One bucket for each client. None: no limit. On a route it replaces the whole of the filter's own."""
    config = typed("filters.http.local_ratelimit.v3.LocalRateLimit", stat_prefix="gateway")
    if limit is None:
        return config
    bucket = {
        "max_tokens": limit.requests,
        "tokens_per_fill": limit.requests,
        "fill_interval": seconds(limit.seconds),
    }
    key = "masked_remote_address"
    # Who has IPv6 has a /64 at least.
    action = {key: {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}
    # Buckets fill evenly: the next request is allowed when one share of the time is over.
    retry_after = -(-limit.seconds // limit.requests)
    return config | {
        "token_bucket": bucket,
        "filter_enabled": ALL,
        "filter_enforced": ALL,
        "rate_limits": [{"actions": [action]}],
        # A value that is left out stands for each value that comes.
        "descriptors": [{"entries": [{"key": key}], "token_bucket": bucket}],
        "always_consume_default_token_bucket": False,
        "max_dynamic_descriptors": settings.rate_limit.max_clients,
        "rate_limited_as_resource_exhausted": True,
        "response_headers_to_add": [
            {"header": {"key": "Retry-After", "value": str(retry_after)}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        ],
    }


def whole_body(most: int) -> dict[str, Any]:
    """A request goes on when its body is whole; one of more than ``most`` bytes is refused with 413."""
    return typed("filters.http.buffer.v3.Buffer", max_request_bytes=most)


def _tokens(settings: GatewaySettings, auth: Auth) -> dict[str, Any]:
    upstream = settings.upstreams[auth.jwks_upstream]
    keys = {
        "http_uri": {
            "uri": f"{'https' if upstream.tls.enabled else 'http'}://{upstream.authority}{auth.jwks_path}",
            "cluster": auth.jwks_upstream,
            "timeout": "2s",
        },
        "cache_duration": seconds(auth.jwks_cache_seconds),
        # In the background: requests never wait for keys, and the gateway is ready when the first set is there.
        "async_fetch": {"failed_refetch_duration": "1s"},
        "retry_policy": {"num_retries": 2},
    }
    provider = {
        "issuer": auth.issuer,
        "audiences": [auth.audience],
        "remote_jwks": keys,
        "forward": True,  # services check again: the gateway is not the only way to them
        # From nowhere else: what stands in a URL stands in logs. The scheme's case is free (RFC 9110).
        "from_headers": [
            {"name": "Authorization", "value_prefix": "Bearer "},
            {"name": "Authorization", "value_prefix": "bearer "},
        ],
        "require_expiration": True,
        "clock_skew_seconds": auth.clock_skew_seconds,
        "payload_in_metadata": PAYLOAD,
        "failed_status_in_metadata": FAILURE,
        # Scopes as a list of words: they are compared whole.
        "normalize_payload_in_metadata": {"space_delimited_claims": ["scope"]},
        "jwt_cache_config": {"jwt_cache_size": 1000, "jwt_max_token_size": LONGEST_TOKEN},
    }
    return extension(
        JWT,
        "filters.http.jwt_authn.v3.JwtAuthentication",
        providers={"issuer": provider},
        requirement_map={TOKEN: {"provider_name": "issuer"}},
    )


def _transcoder(transcode: Transcode) -> dict[str, Any]:
    return extension(
        TRANSCODER,
        "filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=transcode.descriptor_file,
        services=list(transcode.services),
        # The route of the JSON path counts, with its scopes and limits.
        match_incoming_request_route=True,
        convert_grpc_status=True,
        print_options={"always_print_primitive_fields": True, "preserve_proto_field_names": True},
        request_validation_options={"reject_unknown_method": True, "reject_unknown_query_parameters": True},
    )
