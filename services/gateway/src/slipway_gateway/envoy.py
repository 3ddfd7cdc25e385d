"""Envoy's whole configuration, as plain data. Pure."""

from typing import Any

from .clusters import clusters
from .errors import GatewayConfigurationError
from .extensions import address_of, typed
from .inner import Inner, listener
from .listeners import listeners
from .local_replies import ECS_VERSION
from .settings import GatewaySettings

MEGABYTE = 1024 * 1024
# Envoy's own messages, with the keys of all other logs.
LOG_LINE = {
    "@timestamp": "%Y-%m-%dT%T.%f%z",
    "log.level": "%l",
    "log.logger": "envoy.%n",
    "message": "%j",
    "ecs.version": ECS_VERSION,
    "service.name": "gateway",
    "process.title": "gateway",
}


def envoy_config(
    settings: GatewaySettings, *, secret_folder: str | None = None, inner: Inner | None = None
) -> dict[str, Any]:
    """``secret_folder`` is where ``listeners.secret_configs`` were written; without it certificates are read once.
    ``inner``: services are processes of this machine, and their endpoints change while Envoy runs.
    """
    _refuse_templates(settings)
    return {
        "admin": {
            "address": address_of("127.0.0.1", settings.listen.admin_port),
            "ignore_global_conn_limit": True,
        },
        "node": {"id": "gateway", "cluster": "gateway"},
        "static_resources": {
            "listeners": [
                *listeners(settings, secret_folder=secret_folder),
                *(listener(name, port) for name, port in (inner.ports.items() if inner else ())),
            ],
            "clusters": clusters(settings, inner, secret_folder=secret_folder),
        },
        "overload_manager": _overload(settings),
        "application_log_config": {"log_format": {"json_format": LOG_LINE}},
    }


def _overload(settings: GatewaySettings) -> dict[str, Any]:
    heap = "envoy.resource_monitors.fixed_heap"
    listen = settings.listen

    def monitor(name: str, kind: str, **fields: Any) -> dict[str, Any]:
        return {"name": name, "typed_config": typed(f"resource_monitors.{kind}", **fields)}

    def action(name: str, share: float) -> dict[str, Any]:
        return {
            "name": f"envoy.overload_actions.{name}",
            "triggers": [{"name": heap, "threshold": {"value": share}}],
        }

    return {
        "refresh_interval": "0.250s",
        "resource_monitors": [
            monitor(heap, "fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=listen.max_heap_megabytes * MEGABYTE),
            monitor(
                "envoy.resource_monitors.global_downstream_max_connections",
                "downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=listen.max_connections,
            ),
        ],
        "actions": [
            action("shrink_heap", 0.85),
            action("disable_http_keepalive", 0.92),
            action("stop_accepting_requests", 0.95),
        ],
    }


def _refuse_templates(settings: GatewaySettings) -> None:
    texts = {f"upstreams.{name}.address": upstream.address for name, upstream in settings.upstreams.items()}
    texts |= {f"upstreams.{name}.tls.serverName": one.tls.server_name for name, one in settings.upstreams.items()}
    if settings.auth:
        texts["auth.issuer"] = settings.auth.issuer
    for key, text in texts.items():
        if "{{" in text:
            raise GatewayConfigurationError(
                f"gateway.{key} is a template, {text}, and was not rendered: Helm does that, or give the value itself"
            )
