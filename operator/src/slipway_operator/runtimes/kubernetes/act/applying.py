"""Children are applied, and what is not ours is never taken by it: what was not seen is asked for before it is made."""

from typing import Any

from ....errors import NotOurs, Refused
from ..api.answers import Manifest
from ..api.client import Client
from ..api.kinds import SERVICE, Kind
from ..objects.manifests import Owner
from ..objects.ownership import fitted, is_ours, not_ours


async def apply_child(
    client: Client, kind: Kind, namespace: str, made: Manifest, *, there: Manifest | None, owner: Owner
) -> Manifest:
    """The object as it is now; NotOurs where one of that name is somebody else's.

    ``there``: the object as it was seen; None: none with our mark was.
    """
    if there is None:
        there = await client.get(kind, namespace, made["metadata"]["name"])
        if there is not None and not is_ours(there, owner):
            raise NotOurs(not_ours(kind.name, there, owner.name))
    made = fitted(made, there)
    if kind is not SERVICE:
        return await client.apply(kind, namespace, made)
    if there is not None and is_diverted(there):
        made = _with_version(made, await _led_back(client, namespace, made))
    return await _put_service(client, namespace, made)


def is_diverted(service: Manifest) -> bool:
    """Its name leads to another host, or to pods that are not ready, whatever its selector says."""
    spec: dict[str, Any] = service["spec"]
    return spec.get("type") == "ExternalName" or bool(spec.get("externalName") or spec.get("publishNotReadyAddresses"))


async def _led_back(client: Client, namespace: str, made: Manifest) -> Manifest | None:
    """Fields that another program set can't be taken away by applying."""
    seen = {name: made["metadata"][name] for name in ("resourceVersion",) if name in made["metadata"]}
    spec = {"externalName": None, "publishNotReadyAddresses": None, "type": "ClusterIP"} | made["spec"]
    return await client.merge(SERVICE, namespace, made["metadata"]["name"], {"metadata": seen, "spec": spec})


async def _put_service(client: Client, namespace: str, made: Manifest) -> Manifest:
    """Under server-side apply, ports that somebody else wrote stay; one with the name of ours makes it impossible."""
    try:
        return await client.apply(SERVICE, namespace, made)
    except Refused:
        metadata = made["metadata"]
        seen = {name: metadata[name] for name in ("resourceVersion",) if name in metadata}
        patch = {"metadata": seen, "spec": {"ports": made["spec"]["ports"]}}
        merged = await client.merge(SERVICE, namespace, metadata["name"], patch)
        if merged is None:
            raise
        return await client.apply(SERVICE, namespace, _with_version(made, merged))


def _with_version(made: Manifest, now: Manifest | None) -> Manifest:
    """A write that rests on what was seen rests on our own last write from now on."""
    if now is None or "resourceVersion" not in made["metadata"]:
        return made
    return made | {"metadata": made["metadata"] | {"resourceVersion": now["metadata"]["resourceVersion"]}}
