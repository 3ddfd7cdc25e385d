"""Envoy's configuration for the local gateway, as plain data. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

# Idle connections to services are closed before gunicorn's keep-alive (75 s) ends them from its side.
UPSTREAM_IDLE_TIMEOUT = "60s"
REQUEST_TIMEOUT = "15s"
TYPES = "type.googleapis.com/envoy.extensions"


def envoy_config(
    routes: Sequence[tuple[str, str]], ports: Mapping[str, int], *, port: int, admin: int
) -> dict[str, Any]:
    """``routes`` are (path prefix, service) in order; ``ports`` is where each service listens."""
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "services",
                    "domains": ["*"],
                    "routes": [_route(prefix, name) for prefix, name in routes],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPES}.filters.http.router.v3.Router"},
            }
        ],
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
    }
    listener = {
        "name": "http",
        "address": _address(port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    clusters = [_cluster(service, ports[service]) for service in ports]
    return {
        "admin": {"address": _address(admin)},
        "static_resources": {"listeners": [listener], "clusters": clusters},
    }


def _route(prefix: str, service: str) -> dict[str, Any]:
    # path_separated_prefix: /v1/users and /v1/users/7, not /v1/users-admin
    return {
        "match": {"path_separated_prefix": prefix},
        "route": {
            "cluster": service,
            "timeout": REQUEST_TIMEOUT,
            # Safe for every method: nothing of the request has reached the service yet.
            "retry_policy": {"retry_on": "connect-failure,refused-stream", "num_retries": 2},
        },
    }


def _cluster(service: str, port: int) -> dict[str, Any]:
    protocol = {
        "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": UPSTREAM_IDLE_TIMEOUT},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    return {
        "name": service,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": service,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
        },
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
