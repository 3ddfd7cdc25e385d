"""On one machine Envoy is also what a Service is in a cluster: an address that stays, whatever version answers there.

Each service has a fixed port inside the machine. Its endpoints come from a file that Envoy watches, so that a
release switches them without a restart: new requests go to the new processes, and those under way end where they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from .extensions import CONNECTIONS, ROUTER, address_of, extension

ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


@dataclass(frozen=True, slots=True)
class Inner:
    """``folder`` has one file for each service and protocol; ``ports`` says where each listens: "orders-http"."""

    folder: str
    ports: Mapping[str, int]


def endpoints_name(service: str, protocol: str) -> str:
    return f"{service}-{protocol}"


def cluster_name(name: str) -> str:
    return f"inner-{name}"


def endpoints_file(folder: str, name: str) -> str:
    return str(PurePath(folder) / f"{name}.json")


def discovered(folder: str, name: str) -> dict[str, Any]:
    """Of a cluster: its endpoints are read from the file, and again each time another one is moved there."""
    source = {"path": endpoints_file(folder, name), "watched_directory": {"path": folder}}
    return {
        "type": "EDS",
        "eds_cluster_config": {
            "service_name": name,
            "eds_config": {"path_config_source": source, "resource_api_version": "V3"},
        },
    }


def endpoints(name: str, ports: Sequence[int]) -> dict[str, Any]:
    """The content of such a file."""
    hosts = [{"endpoint": {"address": address_of("127.0.0.1", port)}} for port in ports]
    return {"resources": [{"@type": ASSIGNMENT, "cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]}]}


def listener(name: str, port: int) -> dict[str, Any]:
    """Passes every request on as it came: no limits and no rules, as between two pods."""
    route = {
        "cluster": cluster_name(name),
        "timeout": "0s",
        # What has reached no process is tried again: between a switch and its notice a connection may be closed.
        "retry_policy": {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 2},
    }
    hosts = [{"name": name, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}]
    connections = extension(
        CONNECTIONS,
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=cluster_name(name),
        skip_xff_append=True,
        server_header_transformation="PASS_THROUGH",
        stream_idle_timeout="0s",
        route_config={"name": name, "virtual_hosts": hosts},
        http_filters=[extension(ROUTER, "filters.http.router.v3.Router", suppress_envoy_headers=True)],
    )
    return {
        "name": cluster_name(name),
        "address": address_of("127.0.0.1", port),
        "filter_chains": [{"filters": [connections]}],
    }
