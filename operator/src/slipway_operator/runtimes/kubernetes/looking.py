"""Reads everything about one service, as the storage has it now: a plan from an old picture would be a wrong one."""

import asyncio
from dataclasses import dataclass
from typing import Any

from ...spec.serviceversion import ServiceVersionSpec
from .client import Client
from .kinds import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    JOB,
    MICROSERVICE,
    POD,
    SERVICE,
    SERVICE_LABEL,
    SERVICE_VERSION,
    Kind,
)

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """What is looked at: a service, or a plan for several."""

    namespace: str
    name: str
    kind: Kind = MICROSERVICE

    def __str__(self) -> str:
        return f"{'' if self.kind is MICROSERVICE else f'{self.kind.name} '}{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Seen:
    """The objects as they came, by name where they are looked up."""

    microservice: Manifest
    versions: dict[str, Manifest]  # by hash
    records: dict[str, ServiceVersionSpec]  # by hash
    deployments: dict[str, Manifest]
    services: dict[str, Manifest]
    budgets: dict[str, Manifest]
    pods: list[Manifest]
    slices: list[Manifest]
    jobs: list[Manifest]


async def look(client: Client, key: Key) -> Seen | None:
    """None: there is no such Microservice, or it is being deleted; its children go with it."""
    microservice = await client.get(MICROSERVICE, key.namespace, key.name)
    if microservice is None or microservice["metadata"].get("deletionTimestamp"):
        return None
    selector = f"{SERVICE_LABEL}={key.name}"

    async def children(kind: Kind) -> list[Manifest]:
        return await client.list(kind, key.namespace, selector=selector)

    versions, deployments, services, budgets, pods, slices, jobs = await asyncio.gather(
        *map(children, (SERVICE_VERSION, DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, POD, ENDPOINT_SLICE, JOB))
    )
    records = [ServiceVersionSpec.model_validate(each["spec"]) for each in versions]
    return Seen(
        microservice=microservice,
        versions={record.hash: each for record, each in zip(records, versions, strict=True)},
        records={record.hash: record for record in records},
        deployments=_by_name(deployments),
        services=_by_name(services),
        budgets=_by_name(budgets),
        pods=pods,
        slices=slices,
        jobs=jobs,
    )


def _by_name(objects: list[Manifest]) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in objects}
