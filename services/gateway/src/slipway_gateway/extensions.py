"""Names of Envoy's extensions: each is known by a name and by the type of its configuration."""

from typing import Any

TYPES = "type.googleapis.com/envoy.extensions"
CORS = "envoy.filters.http.cors"
RATE_LIMIT = "envoy.filters.http.local_ratelimit"
JWT = "envoy.filters.http.jwt_authn"
RBAC = "envoy.filters.http.rbac"
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
ROUTER = "envoy.filters.http.router"
HEADERS = "envoy.filters.http.header_mutation"
BUFFER = "envoy.filters.http.buffer"
METADATA = "envoy.filters.http.header_to_metadata"
CONNECTIONS = "envoy.filters.network.http_connection_manager"


def typed(kind: str, **fields: Any) -> dict[str, Any]:
    """The configuration of an extension; ``kind`` is its type behind ``envoy.extensions.``"""
    return {"@type": f"{TYPES}.{kind}", **fields}


def extension(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": typed(kind, **fields)}


def address_of(host: str, port: int) -> dict[str, Any]:
    place: dict[str, Any] = {"address": host.strip("[]"), "port_value": port}
    return {"socket_address": place | ({"ipv4_compat": True} if place["address"] == "::" else {})}


def seconds(value: float) -> str:
    """A duration as protobuf's JSON has it."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"
