"""What listens: the gateway over HTTP and HTTPS, and the port for metrics and probes."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from .clusters import ADMIN, BUFFER_BYTES, TELEMETRY
from .extensions import CONNECTIONS, ROUTER, address_of, extension, seconds
from .filters import http_filters
from .local_replies import access_log, local_replies
from .routing import route_table
from .settings import GatewaySettings
from .upstream_tls import SECRET_TYPE, sds
from .upstream_tls import secrets as upstream_secrets

SECRET = "certificate"  # noqa: S105 # a name


def listeners(settings: GatewaySettings, *, secret_folder: str | None) -> list[dict[str, Any]]:
    listen = settings.listen
    made = [_listener("http", settings, listen.port, [_connections(settings, tls=False)])]
    if settings.tls.enabled:
        secure = _listener("https", settings, listen.tls_port, [_connections(settings, tls=True)])
        secure["filter_chains"][0]["transport_socket"] = _tls(settings, secret_folder)
        made.append(secure)
    metrics = _listener("metrics", settings, listen.metrics_port, [_metrics()])
    # A gateway that is full must still say so.
    return [*made, metrics | {"ignore_global_conn_limit": True}]


def _listener(name: str, settings: GatewaySettings, port: int, filters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "address": address_of(settings.listen.address, port),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [{"filters": filters}],
    }


def _edge(stat_prefix: str, *, request_seconds: int = 10) -> dict[str, Any]:
    """What Envoy advises for proxies that strangers reach."""
    return {
        "stat_prefix": stat_prefix,
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "max_request_headers_kb": 32,
        "common_http_protocol_options": {
            "idle_timeout": "900s",
            "max_headers_count": 100,
            # WSGI can't tell x_user from x-user: no such name gets through.
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65536,
            "initial_connection_window_size": 1048576,
        },
        "request_headers_timeout": "10s",
        "request_timeout": seconds(request_seconds),
        "stream_idle_timeout": "300s",
        "server_name": "gateway",
    }


def _connections(settings: GatewaySettings, *, tls: bool) -> dict[str, Any]:
    config = _edge("https" if tls else "http", request_seconds=settings.request_body.seconds) | {
        "xff_num_trusted_hops": settings.listen.trusted_hops,
        # Made here for strangers, and told, so that a complaint can be found in the logs.
        "always_set_request_id_in_response": True,
        "route_config": route_table(settings, tls=tls),
        "http_filters": http_filters(settings, tls=tls),
        "local_reply_config": local_replies(),
        "access_log": [access_log(settings)],
    }
    if settings.telemetry.otlp_endpoint:
        config["tracing"] = _tracing(settings)
    return extension(CONNECTIONS, "filters.network.http_connection_manager.v3.HttpConnectionManager", **config)


def _tracing(settings: GatewaySettings) -> dict[str, Any]:
    uri = settings.telemetry.otlp_endpoint.rstrip("/") + "/v1/traces"
    exporter = {"http_uri": {"uri": uri, "cluster": TELEMETRY, "timeout": "2s"}}
    return {
        "random_sampling": {"value": settings.telemetry.trace_sample_ratio * 100},
        "spawn_upstream_span": True,
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "http_service": exporter,
                "service_name": "gateway",
            },
        },
    }


def _tls(settings: GatewaySettings, secret_folder: str | None) -> dict[str, Any]:
    context: dict[str, Any] = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": ["h2", "http/1.1"],
    }
    if secret_folder is None:
        context["tls_certificates"] = [_certificate(settings)]
    else:
        context["tls_certificate_sds_secret_configs"] = [sds(secret_folder, SECRET)]
    return extension(
        "envoy.transport_sockets.tls",
        "transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context=context,
        require_client_certificate=False,
    )


def _certificate(settings: GatewaySettings) -> dict[str, Any]:
    return {
        "certificate_chain": {"filename": settings.tls.certificate_file},
        "private_key": {"filename": settings.tls.key_file},
    }


def secret_configs(settings: GatewaySettings) -> dict[str, dict[str, Any]]:
    """Certificates as resources of their own, by the names of their files: Envoy reads renewed ones without a restart
    only from such.
    """
    secrets = [*_own_secret(settings), *upstream_secrets(settings)]
    return {f"{secret['name']}.json": {"resources": [secret]} for secret in secrets}


def _own_secret(settings: GatewaySettings) -> Iterator[dict[str, Any]]:
    if settings.tls.enabled:
        folder = str(PurePath(settings.tls.certificate_file).parent)
        watched = _certificate(settings) | {"watched_directory": {"path": folder}}
        yield {"@type": SECRET_TYPE, "name": SECRET, "tls_certificate": watched}


def _metrics() -> dict[str, Any]:
    """Two pages of Envoy's admin port, which itself is on 127.0.0.1 alone: it can also change things.

    /healthz says that connections are served; it stays so while the gateway drains, unlike /readyz.
    """

    def page(path: str, **answer: Any) -> dict[str, Any]:
        # Compared with the query: none is passed on to the admin port.
        exactly = {"name": ":path", "string_match": {"exact": path}}
        get = {"name": ":method", "string_match": {"exact": "GET"}}
        return {"match": {"path": path, "headers": [get, exactly]}, **answer}

    def of_admin(path: str) -> dict[str, Any]:
        return {"cluster": ADMIN, "prefix_rewrite": path, "timeout": "5s"}

    routes = [
        page("/metrics", route=of_admin("/stats/prometheus")),
        page("/readyz", route=of_admin("/ready")),
        page("/healthz", direct_response={"status": 200}),
    ]
    config = _edge("metrics") | {
        "route_config": {"name": "metrics", "virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": routes}]},
        "http_filters": [extension(ROUTER, "filters.http.router.v3.Router", suppress_envoy_headers=True)],
    }
    return extension(CONNECTIONS, "filters.network.http_connection_manager.v3.HttpConnectionManager", **config)
