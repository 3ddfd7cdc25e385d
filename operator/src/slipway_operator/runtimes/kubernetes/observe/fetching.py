"""Reads everything about one service: itself as the storage has it now, its children as far as anybody told of them.

A plan made from an older snapshot would be a wrong one; what changes meanwhile is told, and looked at again.
"""

import asyncio
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ....errors import NotAName, Refused, Unreadable
from ....spec.fields import SERVING
from ....spec.hashing import version_hash
from ....spec.microservice import MicroserviceSpec
from ....spec.serviceversion import ServiceVersionSpec
from ..api.client import Client
from ..api.kinds import (
    COMPONENT_LABEL,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    JOB,
    MICROSERVICE,
    POD,
    SERVICE,
    SERVICE_LABEL,
    SERVICE_VERSION,
    VERSION_LABEL,
    Key,
    Kind,
)
from ..objects import configuration
from .cluster_snapshot import ClusterSnapshot

Manifest = dict[str, Any]


async def look(client: Client, key: Key) -> ClusterSnapshot | None:
    """None: there is no such Microservice, or it is being deleted; its children go with it."""
    microservice = await client.get(MICROSERVICE, key.namespace, key.name)
    if microservice is None or microservice["metadata"].get("deletionTimestamp"):
        return None
    selector = f"{SERVICE_LABEL}={key.name}"

    async def children(kind: Kind, *, recent: bool = True) -> list[Manifest]:
        return await client.list(kind, key.namespace, selector=selector, recent=recent)

    versions, deployments, services, budgets, pods, slices, jobs = await asyncio.gather(
        *map(children, (SERVICE_VERSION, DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, POD, ENDPOINT_SLICE, JOB))
    )
    pods_are_new = _workers_may_move(microservice, deployments)
    if pods_are_new:
        pods = await children(POD, recent=False)
    records = [readable(ServiceVersionSpec, SERVICE_VERSION, each) for each in versions]
    return ClusterSnapshot(
        microservice=microservice,
        versions={record.hash: each for record, each in zip(records, versions, strict=True)},
        records={record.hash: record for record in records},
        deployments=_by_name(deployments),
        services=_by_name(services),
        budgets=_by_name(budgets),
        pods=pods,
        pods_are_new=pods_are_new,
        slices=slices,
        jobs=jobs,
    )


def _workers_may_move(microservice: Manifest, deployments: list[Manifest]) -> bool:
    """A pod that was made a moment ago must not be missed: consumers of one version wait for the end of another's."""
    components = {each["metadata"]["labels"].get(COMPONENT_LABEL) for each in deployments}
    return bool((microservice.get("status") or {}).get("release")) and bool(components - set(SERVING))


Parsed = TypeVar("Parsed", bound=BaseModel)


def readable(model: type[Parsed], kind: Kind, manifest: Manifest) -> Parsed:
    """The spec of an object. Where the definitions are of another release than the operator, it may be none."""
    try:
        return model.model_validate(manifest["spec"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(each) for each in ("spec", *first["loc"]))
        name = manifest["metadata"]["name"]
        raise Unreadable(
            f"{kind.name} {name} can't be read by this release of the operator: {place}: {first['msg']}. "
            "Install the operator and its definitions of one release"
        ) from None


async def look_at_configuration(
    client: Client, key: Key, seen: ClusterSnapshot, spec: MicroserviceSpec
) -> ClusterSnapshot:
    """ConfigMaps by their names: of the version that is wanted, and the copies of those that run."""
    wanted = version_hash(spec)
    found: dict[str, Manifest | None] = {}

    async def ask(names: set[str]) -> None:
        asked = sorted(names - found.keys())
        found.update(zip(asked, await asyncio.gather(*map(one, asked)), strict=True))

    async def one(name: str) -> Manifest | None:
        try:
            return await client.get(CONFIG_MAP, key.namespace, name)
        except NotAName:  # of the spec: it is told in its place; of a record from before names were checked: it is gone
            return None
        except Refused as error:
            raise Unreadable(f"ConfigMap {name} can't be read: {error}") from None

    used = [record for version, record in seen.records.items() if version == wanted or _runs(seen, version)]
    copied = {copy: name for record in used for name, copy in configuration.copies(record).items()}
    await ask(set(copied))
    await ask({name for copy, name in copied.items() if found[copy] is None})
    if wanted in seen.records:
        return replace(seen, config_maps=found)
    await ask(set(configuration.named(spec)))
    return replace(seen, config_maps=found, missing=configuration.missing(spec, found))


def _runs(seen: ClusterSnapshot, version: str) -> bool:
    return any(
        each["metadata"]["labels"].get(VERSION_LABEL) == version and each["spec"].get("replicas")
        for each in seen.deployments.values()
    )


def _by_name(objects: list[Manifest]) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in objects}
