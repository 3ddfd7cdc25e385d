"""TLS to upstreams: whose certificates are taken, and what the gateway shows of itself."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from .extensions import extension
from .settings import GatewaySettings, Upstream, UpstreamTls

SECRET_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 # a type's name
ALPN = {"http": "http/1.1", "grpc": "h2"}


def transport_socket(name: str, upstream: Upstream, secret_folder: str | None) -> dict[str, Any]:
    """``secret_folder`` has what ``secrets`` gives, each in a file of its own; without it files are read once."""
    tls = upstream.tls
    context: dict[str, Any] = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": [ALPN[upstream.protocol]],
    }
    if secret_folder is None:
        context |= {"validation_context": _trusted(tls)}
        context |= {"tls_certificates": [_own(tls)]} if tls.certificate_file else {}
    else:
        context["validation_context_sds_secret_config"] = sds(secret_folder, _ca_name(name))
        if tls.certificate_file:
            context["tls_certificate_sds_secret_configs"] = [sds(secret_folder, _own_name(name))]
    return extension(
        "envoy.transport_sockets.tls",
        "transport_sockets.tls.v3.UpstreamTlsContext",
        sni=(tls.server_name or upstream.address).removesuffix("."),  # RFC 6066: without the dot of the root
        auto_sni_san_validation=True,
        common_tls_context=context,
    )


def secrets(settings: GatewaySettings) -> Iterator[dict[str, Any]]:
    """As resources of their own: Envoy reads renewed files without a restart only from such."""
    for name, upstream in settings.upstreams.items():
        tls = upstream.tls
        if not tls.enabled:
            continue
        yield _secret(_ca_name(name), "validation_context", _trusted(tls), tls.ca_file)
        if tls.certificate_file:
            yield _secret(_own_name(name), "tls_certificate", _own(tls), tls.certificate_file)


def _secret(name: str, kind: str, value: dict[str, Any], file: str) -> dict[str, Any]:
    watched = {"watched_directory": {"path": str(PurePath(file).parent)}}
    return {"@type": SECRET_TYPE, "name": name, kind: value | watched}


def _trusted(tls: UpstreamTls) -> dict[str, Any]:
    return {"trusted_ca": {"filename": tls.ca_file}}


def _own(tls: UpstreamTls) -> dict[str, Any]:
    return {"certificate_chain": {"filename": tls.certificate_file}, "private_key": {"filename": tls.key_file}}


def sds(folder: str, name: str) -> dict[str, Any]:
    """Where Envoy finds the secret of that name: a file has one, and no more."""
    source = {"path_config_source": {"path": f"{folder}/{name}.json"}, "resource_api_version": "V3"}
    return {"name": name, "sds_config": source}


def _ca_name(upstream: str) -> str:
    return f"ca-of-{upstream}"


def _own_name(upstream: str) -> str:
    return f"certificate-for-{upstream}"
