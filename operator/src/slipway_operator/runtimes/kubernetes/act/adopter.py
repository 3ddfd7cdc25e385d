"""A first version takes over from Deployments that a chart made, without a lost request.

``kubectl slipway adopt`` has labelled the chart's Services and Deployments. Their Service goes on finding their pods
until a first version has as many ready; the switch is the planner's. What is done here: they belong to the
Microservice, so that they go with it; their consumers end before new ones start; and when only the new version's
endpoints are left behind the Service, they go.
"""

import logging
from dataclasses import replace
from typing import Any

from ....planning import Decision
from ....planning.facts import Stage
from ....planning.observed import GroupView
from ....spec.fields import CONSUMING
from ..api.client import Client
from ..api.kinds import ADOPTED_LABEL, DEPLOYMENT, POD, SERVICE, VERSION_LABEL, Key, Kind
from ..objects.manifests import Owner, active_name, pods_name
from ..objects.ownership import is_lent
from ..observe.cluster_snapshot import ClusterSnapshot
from ..observe.observing import adopted
from .executing import ReconcileContext

Manifest = dict[str, Any]

log = logging.getLogger(__name__)

# How many consumers there were, for the case that the first version fails.
KEPT_REPLICAS = "slipway.dev/replicas"
_CHART_COMPONENT = "app.kubernetes.io/component"


class Adopter:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def among(self, group: GroupView | None, key: Key, seen: ClusterSnapshot) -> GroupView | None:
        """The group with the consumers that are taken over: strangers, for which new consumers wait."""
        count = 0
        for each in _consumers(seen):
            labels = each["spec"]["selector"]["matchLabels"]
            # Pods of versions carry the chart's labels as well.
            selector = ",".join([*(f"{name}={value}" for name, value in labels.items()), f"!{VERSION_LABEL}"])
            count += len(await self._client.list(POD, key.namespace, selector=selector))
        if not count:
            return group
        members = group.members if group else {}
        return replace(group or GroupView(), members={**members, "": max(count, members.get("", 0))})

    async def take_over(self, context: ReconcileContext, made: Decision) -> bool:
        """Whether anything was done."""
        left = adopted(context.seen)
        if not left:
            return False
        acted = await self._own(context, left)
        if _done(context, made):
            for each in left:
                log.info("%s: %s is taken over", context.key, each["metadata"]["name"])
                await self._end(context, each)
            return True
        return await self._consumers(context, made) or acted

    async def _end(self, context: ReconcileContext, taken: Manifest) -> None:
        """What was handed over for good goes; what is lent stays for the way back, without pods."""
        namespace, name = context.key.namespace, taken["metadata"]["name"]
        if is_lent(taken):
            patch = {"metadata": {"labels": {ADOPTED_LABEL: None}}, "spec": {"replicas": 0}}
            await self._client.merge(DEPLOYMENT, namespace, name, patch)
        else:
            await self._client.delete(DEPLOYMENT, namespace, name)

    async def _own(self, context: ReconcileContext, left: list[Manifest]) -> bool:
        names = (active_name(context.key.name), pods_name(context.key.name))
        services = [context.seen.services[name] for name in names if name in context.seen.services]
        orphans: list[tuple[Kind, Manifest]] = [(DEPLOYMENT, each) for each in left if not _owned(each, context.owner)]
        orphans += [(SERVICE, each) for each in services if not _owned(each, context.owner)]
        for kind, each in orphans:
            patch = {"metadata": {"ownerReferences": [context.owner.reference()]}}
            await self._client.merge(kind, context.key.namespace, each["metadata"]["name"], patch)
        return bool(orphans)

    async def _consumers(self, context: ReconcileContext, made: Decision) -> bool:
        """They end where new ones are about to start, and come back where those will not."""
        release = made.facts.release
        moving = release is not None and release.reached >= Stage.HANDING_OVER
        acted = False
        for each in _consumers(context.seen):
            notes, now = each["metadata"].get("annotations") or {}, each["spec"].get("replicas", 1)
            kept = notes.get(KEPT_REPLICAS, "")
            wanted = 0 if moving else int(kept) if kept.isdecimal() else now
            if wanted > now and _consumes(context):
                continue  # not beside the consumers of a version that was given up
            if wanted == now:
                continue
            patch: Manifest = {"spec": {"replicas": wanted}}
            if moving:
                patch["metadata"] = {"annotations": {KEPT_REPLICAS: str(now)}}
            await self._client.merge(DEPLOYMENT, context.key.namespace, each["metadata"]["name"], patch)
            acted = True
        return acted


def _consumers(seen: ClusterSnapshot) -> list[Manifest]:
    return [each for each in adopted(seen) if each["metadata"]["labels"].get(_CHART_COMPONENT) in CONSUMING]


def _consumes(context: ReconcileContext) -> bool:
    return any(view.consumers.wanted or view.consumers.pods for view in context.observed.versions.values())


def _owned(manifest: Manifest, owner: Owner) -> bool:
    """Or lent: that is never owned."""
    owned = any(each["uid"] == owner.uid for each in manifest["metadata"].get("ownerReferences") or [])
    return owned or is_lent(manifest)


def _done(context: ReconcileContext, made: Decision) -> bool:
    """A version of ours has all requests, and was seen to have them."""
    saw, release = context.observed, made.facts.release
    proved = release is None or release.promoted_at is not None
    return proved and bool(saw.active and saw.active_endpoints.get(saw.active)) and not saw.active_endpoints.get("")
