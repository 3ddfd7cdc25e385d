"""What others made and was handed over: it is taken as it is, remembered, and given back when the service goes.

A Service is needed under its name, since clients know that name. ``kubectl slipway adopt`` marks what may be taken, and
``spec.adopt`` names it. What nobody handed over stays untouched, and blocks the release.
"""

import asyncio
import logging
from dataclasses import dataclass

from ....spec.hashing import version_hash, version_name
from ....spec.microservice import MicroserviceSpec
from ..api.answers import Manifest
from ..api.client import Client
from ..api.kinds import DEPLOYMENT, LENT_LABEL, SERVICE, SERVICE_LABEL, Key, Kind
from ..objects import manifests
from ..objects.manifests import Owner
from ..objects.ownership import is_lent, is_ours, lending_patch, may_be_taken, not_ours, returning_patch
from ..observe.cluster_snapshot import ClusterSnapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Objects of others under names of this service."""

    blocking: str = ""  # the first that nobody handed over, as a sentence
    taken: bool = False  # something was taken just now: look again


class Borrower:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def borrow(self, key: Key, seen: ClusterSnapshot, spec: MicroserviceSpec, owner: Owner) -> Found:
        """Takes what was handed over; all of it is checked before the first is touched."""
        strangers = await self._strangers(key, seen, spec, owner)
        consented = {(SERVICE, name) for name in spec.adopt.services}
        consented |= {(DEPLOYMENT, name) for name in spec.adopt.deployments}
        for kind, each in strangers:
            if (kind, each["metadata"]["name"]) not in consented or not may_be_taken(each):
                return Found(not_ours(kind.name, each, owner.name))
        if spec.release.paused:
            return Found()
        for kind, each in strangers:
            name = each["metadata"]["name"]
            log.info("%s: %s %s is taken, as the spec says", key, kind.name, name)
            patch = lending_patch(each, owner.name, serves=kind is DEPLOYMENT)
            await self._client.merge(kind, key.namespace, name, patch)
        return Found(taken=bool(strangers))

    async def _strangers(
        self, key: Key, seen: ClusterSnapshot, spec: MicroserviceSpec, owner: Owner
    ) -> list[tuple[Kind, Manifest]]:
        """Asked for by name, since they have no label of ours; what was seen with it costs nothing."""
        wanted = [
            (kind, name)
            for kind, name in needed_names(owner.name, spec)
            if name not in (seen.services if kind is SERVICE else seen.deployments)
        ]
        found = await asyncio.gather(*(self._client.get(kind, key.namespace, name) for kind, name in wanted))
        pairs = [(kind, each) for (kind, _), each in zip(wanted, found, strict=True) if each]
        return [(kind, each) for kind, each in pairs if not is_ours(each, owner)]

    async def give_back(self, key: Key) -> bool:
        """There is no such service any more: Services find again whom they found before, at once.

        Nothing waits for it: without an operator a deletion ends as well, and the next one gives back what is left.
        """
        selector = f"{SERVICE_LABEL}={key.name},{LENT_LABEL}"
        returned = False
        for kind in (DEPLOYMENT, SERVICE):
            for each in await self._client.list(kind, key.namespace, selector=selector):
                if is_lent(each):
                    name = each["metadata"]["name"]
                    log.info("%s: %s %s is given back", key, kind.name, name)
                    await self._client.merge(kind, key.namespace, name, returning_patch(each))
                    returned = True
        return returned


def needed_names(service: str, spec: MicroserviceSpec) -> list[tuple[Kind, str]]:
    """What a new version makes, and what it takes over from."""
    version = version_hash(spec)
    names = [manifests.active_name(service), manifests.preview_name(service), version_name(service, version)]
    if "grpc" in spec.components:
        names.append(manifests.pods_name(service))
    deployments = [manifests.deployment_name(service, version, each) for each in spec.components]
    return [*((SERVICE, name) for name in names), *((DEPLOYMENT, name) for name in deployments)] + [
        (DEPLOYMENT, name) for name in spec.adopt.deployments
    ]
