"""Which version a spec describes: a hash of what runs, and of nothing else.

The algorithm is this project's own and pinned by golden tests: were it to change with a library, an upgrade of the
operator would release every service again.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .microservice import MicroserviceSpec

HASH_LENGTH = 8
UNKNOWN = "00000000"  # of a spec that nobody knows any more
# Written anew by each tool at each run, without a change of what runs.
_VOLATILE = ("helm.sh/", "meta.helm.sh/", "skaffold.dev/", "argocd.argoproj.io/", "app.kubernetes.io/managed-by")


def version_hash(spec: MicroserviceSpec) -> str:
    """Of templates, ports, group and migrations. Sizes, strategy and gates say how, not what."""
    return digest(
        {
            "components": {name: stable(each.template.as_given()) for name, each in spec.components.items()},
            "ports": [port.model_dump(by_alias=True, mode="json", exclude_none=True) for port in spec.ports],
            "group": spec.events.group if spec.events else "",
            "expand": stable(spec.migrations.expand.as_given()) if spec.migrations.expand else None,
            "contract": stable(spec.migrations.contract.as_given()) if spec.migrations.contract else None,
        }
    )


def spec_fingerprint(spec: MicroserviceSpec) -> str:
    """Of all that can make a failed version worth another try: the spec without sizes and without decisions.

    Autoscalers write sizes, so the object's generation would not do. What has its default is left out: a field that a
    later release adds changes no fingerprint.
    """
    return _fingerprint(spec, spec.model_dump(by_alias=True, mode="json", exclude_none=True, exclude_defaults=True))


def former_fingerprint(spec: MicroserviceSpec) -> str:
    """As it was stored until defaults were left out of it."""
    return _fingerprint(spec, spec.model_dump(by_alias=True, mode="json", exclude_none=True))


def _fingerprint(spec: MicroserviceSpec, wanted: dict[str, Any]) -> str:
    wanted.pop("replicas", None)
    wanted.pop("suspend", None)
    wanted.pop("release", None)
    for component in wanted["components"].values():
        component.pop("replicas", None)
    return digest({"spec": stable(wanted), "retry": spec.release.retry})


def version_name(service: str, version: str) -> str:
    return f"{service}-{version}"


def hash_of(reference: str) -> str:
    """The hash in a reference, which is the hash itself or the name that ends with it."""
    return reference[-HASH_LENGTH:]


def digest(value: Any) -> str:
    canonical = json.dumps(_without_nothing(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:HASH_LENGTH]


def stable(value: Any) -> Any:
    """The value without labels and annotations that tools write anew each time."""
    if isinstance(value, Mapping):
        return {key: stable(each) for key, each in value.items() if not str(key).startswith(_VOLATILE)}
    if isinstance(value, list | tuple):
        return [stable(each) for each in value]
    return value


def _without_nothing(value: Any) -> Any:
    """Null and empty maps mean the same to Kubernetes as a missing key; API servers and charts differ in them."""
    if isinstance(value, Mapping):
        made = {key: _without_nothing(each) for key, each in value.items()}
        return {key: each for key, each in made.items() if each is not None and each not in ({}, [])}
    if isinstance(value, list | tuple):
        return [_without_nothing(each) for each in value]
    return value
