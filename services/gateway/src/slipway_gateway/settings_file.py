"""Settings from YAML: the chart's values.yaml, that of an umbrella chart, or the file in the pod."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from .errors import GatewayConfigurationError
from .settings import GatewaySettings, Listen, RateLimits, Telemetry, Tls

KEY = "gateway"
# What an umbrella chart says once, for the gateway and for all services behind it.
_OF_ALL = re.compile(r"\{\{ \.Values\.global\.auth\.(\w+) \}\}")


def read(source: Path | str) -> GatewaySettings:
    """``source`` is a file, or the text itself. Settings lie under ``gateway``, in an umbrella chart's values under
    ``gateway.gateway``; other keys are Helm's and passed over.
    """
    name = str(source) if isinstance(source, Path) else "the settings"
    try:
        text = source.read_text() if isinstance(source, Path) else source
        document = yaml.safe_load(text)
    except OSError as error:
        raise GatewayConfigurationError(f"{name} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that is none, a thousand brackets
        raise GatewayConfigurationError(f"{name} is no YAML: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get(KEY), dict):
        raise GatewayConfigurationError(f"{name} has no key {KEY!r} with the gateway's settings")
    return checked(_of_the_gateway(document))


def _of_the_gateway(document: Mapping[str, Any]) -> Mapping[str, Any]:
    values: dict[str, Any] = document[KEY]
    inner = values.get(KEY)
    if not isinstance(inner, dict):
        return values
    auth = inner.get("auth")
    return {**inner, "auth": _put_in(auth, document)} if isinstance(auth, dict) else {**inner}


def _put_in(auth: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    of_all = ((document.get("global") or {}).get("auth")) or {}
    return {
        key: _OF_ALL.sub(lambda found: str(of_all.get(found[1], found[0])), value) if isinstance(value, str) else value
        for key, value in auth.items()
    }


def checked(values: Mapping[str, Any]) -> GatewaySettings:
    """The settings, or GatewayConfigurationError that names every wrong key."""
    try:
        return GatewaySettings.model_validate(values)
    except ValidationError as error:
        faults = [_sentence(detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
        raise GatewayConfigurationError("; ".join(faults)) from None


def with_upstreams(
    settings: GatewaySettings,
    addresses: Mapping[str, tuple[str, int]],
    *,
    issuer: str | None = None,
    listen: Listen | None = None,
    tls: Tls | None = None,
    telemetry: Telemetry | None = None,
    rate_limit: RateLimits | None = None,
    descriptor_file: str | None = None,
) -> GatewaySettings:
    """The same gateway with services elsewhere. Upstreams without an address here go, with their routes:
    a machine runs the services it has. What is given besides replaces the settings' own.
    """
    values = settings.model_dump(by_alias=True, exclude_unset=True)
    values["upstreams"] = {
        name: {**upstream, "address": addresses[name][0], "port": addresses[name][1]}
        for name, upstream in values["upstreams"].items()
        if name in addresses
    }
    values["routes"] = [route for route in values["routes"] if route["upstream"] in addresses]
    if issuer is not None and values.get("auth"):
        values["auth"]["issuer"] = issuer
    transcode = values.get("transcode")
    if transcode and settings.transcode and settings.transcode.upstream not in addresses:
        values["transcode"] = None
    elif transcode and descriptor_file is not None:
        transcode["descriptorFile"] = descriptor_file
    replaced = {"listen": listen, "tls": tls, "telemetry": telemetry, "rateLimit": rate_limit}
    values |= {key: value for key, value in replaced.items() if value is not None}
    return checked(values)


def _sentence(location: tuple[int | str, ...], kind: str, message: str) -> str:
    key = KEY
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{part}"
    if kind == "missing":
        return f"{key} is not set"
    if kind == "extra_forbidden":
        return f"{key} is no setting of the gateway"
    return f"{key}: {message.removeprefix('Value error, ')}"
