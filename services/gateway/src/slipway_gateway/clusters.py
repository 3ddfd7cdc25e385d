"""Where requests go: connections to the services, and what is done when a service is unwell."""

from typing import Any
from urllib.parse import urlsplit

from .extensions import address_of, extension, seconds, typed
from .inner import Inner, cluster_name, discovered, endpoints_name
from .settings import SYSTEM_CERTIFICATES, GatewaySettings, Upstream, is_ip
from .upstream_tls import transport_socket

ADMIN = "gateway-admin"
TELEMETRY = "gateway-telemetry"
CONNECT_SECONDS = 1
# Closed before gunicorn's keep-alive (75 s) ends them from its side, in the middle of a request.
# Less than the silence after which a version without traffic closes a connection (SILENT_SECONDS of the chassis).
IDLE_SECONDS = 2
RETRY_BUDGET_PERCENT = 20
BUFFER_BYTES = 32768


def clusters(
    settings: GatewaySettings, inner: Inner | None = None, *, secret_folder: str | None = None
) -> list[dict[str, Any]]:
    """``inner``: upstreams are processes of this machine, without TLS. ``secret_folder``: as of ``envoy_config``."""
    made = [_service(name, upstream, inner) for name, upstream in settings.upstreams.items()]
    for cluster, (name, upstream) in zip(made, settings.upstreams.items(), strict=True):
        if upstream.tls.enabled and not inner:
            cluster["transport_socket"] = transport_socket(name, upstream, secret_folder)
    if inner:
        made += [_inner(name, inner) for name in inner.ports]
    made.append(_plain(ADMIN, "127.0.0.1", settings.listen.admin_port))
    if settings.telemetry.otlp_endpoint:
        made.append(_collector(settings.telemetry.otlp_endpoint))
    return made


def _service(name: str, upstream: Upstream, inner: Inner | None) -> dict[str, Any]:
    where = (
        _discovered(name, inner.folder, endpoints_name(name, upstream.protocol))
        if inner
        else _plain(name, upstream.address, upstream.port)
    )
    return where | {
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [_limits(upstream)]},
        "outlier_detection": _outliers(),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _protocol(upstream.protocol)
        },
    }


def _inner(name: str, inner: Inner) -> dict[str, Any]:
    protocol = name.rpartition("-")[2]
    return _discovered(cluster_name(name), inner.folder, name) | {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _protocol(protocol)
        },
    }


def _discovered(name: str, folder: str, source: str) -> dict[str, Any]:
    return {
        "name": name,
        **discovered(folder, source),
        "connect_timeout": seconds(CONNECT_SECONDS),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
    }


def _plain(name: str, host: str, port: int) -> dict[str, Any]:
    where = {"type": "STATIC"} if is_ip(host) else {"cluster_type": _by_name()}
    return {
        "name": name,
        **where,
        "connect_timeout": seconds(CONNECT_SECONDS),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address_of(host, port)}}]}],
        },
    }


def _by_name() -> dict[str, Any]:
    """Every address of the name is a host; asked for each second, since the pods of a headless Service change."""
    return extension(
        "envoy.clusters.dns",
        "clusters.dns.v3.DnsCluster",
        dns_refresh_rate="1s",
        dns_lookup_family="V4_PREFERRED",
        all_addresses_in_single_endpoint=False,
    )


def _limits(upstream: Upstream) -> dict[str, Any]:
    return {
        "max_connections": upstream.max_connections,
        "max_pending_requests": upstream.max_pending_requests,
        "max_requests": upstream.max_requests,
        # Retries are a share of what is under way: they can't double the load of a service that fails.
        "retry_budget": {"budget_percent": {"value": RETRY_BUDGET_PERCENT}, "min_retry_concurrency": 3},
    }


def _outliers() -> dict[str, Any]:
    """A host that can't be reached, or answers 502-504 again and again, rests for a while.

    A plain 500 is an answer of the application: it says nothing about the host.
    """
    return {
        "consecutive_gateway_failure": 5,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_success_rate": 0,
        "interval": "5s",
        "base_ejection_time": "10s",
        "max_ejection_percent": 50,
    }


def _protocol(protocol: str) -> dict[str, Any]:
    http2 = {"max_concurrent_streams": 100, "connection_keepalive": {"interval": "30s", "timeout": "5s"}}
    explicit = {"http2_protocol_options": http2} if protocol == "grpc" else {"http_protocol_options": {}}
    return typed(
        "upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={"idle_timeout": seconds(IDLE_SECONDS)},
        explicit_http_config=explicit,
    )


def _collector(endpoint: str) -> dict[str, Any]:
    url = urlsplit(endpoint)
    secure = url.scheme == "https"
    cluster = _plain(TELEMETRY, url.hostname or "", url.port or (443 if secure else 80))
    if secure:
        validation = {"trusted_ca": {"filename": SYSTEM_CERTIFICATES}}
        cluster["transport_socket"] = extension(
            "envoy.transport_sockets.tls",
            "transport_sockets.tls.v3.UpstreamTlsContext",
            sni=url.hostname,
            auto_sni_san_validation=True,
            common_tls_context={"validation_context": validation},
        )
    return cluster
