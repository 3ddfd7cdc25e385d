"""Children that a person, or another program, edited or deleted: each is made again what it should be.

How many pods there are and which version is selected is the planner's; here the rest of each object is compared.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ....errors import NotOurs
from ....planning.observed import ANY, Observed
from ....spec.fields import SERVING
from ....spec.hashing import version_name
from ..api.answers import Manifest
from ..api.client import Client
from ..api.kinds import CONFIG_MAP, DEPLOYMENT, DISRUPTION_BUDGET, SERVICE, SERVICE_VERSION, Kind
from ..objects import configuration, manifests
from ..objects.ownership import fitted
from ..observe.cluster_snapshot import ClusterSnapshot
from ..observe.observing import is_owned, wanted_by_grpc
from .applying import apply_child, is_diverted
from .executing import ReconcileContext, ports_of

log = logging.getLogger(__name__)

# Fields below which values are quantities.
QUANTITIES = {"resources", "sizeLimit"}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)([numkMGTPE]|[KMGTPE]i|)")
_UNITS = {name: Decimal(1000) ** power for name, power in zip("numkMGTPE", (-3, -2, -1, 1, 2, 3, 4, 5, 6), strict=True)}
_UNITS |= {"": Decimal(1)} | {f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", start=1)}

Wanted = tuple[Kind, Manifest, Manifest | None]


class DriftCorrector:
    def __init__(self, client: Client) -> None:
        self._client = client
        # The API server may write a value in another form. What differs after it was applied differs by that alone:
        # it is remembered, so that an operator at rest writes nothing.
        self._applied: dict[tuple[str, str], tuple[str, str]] = {}

    async def mend(self, context: ReconcileContext) -> bool:
        """Whether anything had to be put back."""
        mended = False
        for kind, wanted, there in _children(context):
            wanted = fitted(wanted, there)  # noqa: PLW2901
            diverted = kind is SERVICE and there is not None and is_diverted(there)
            if there and covers(there, wanted) and not diverted:
                continue
            place = (f"{context.key.namespace}/{kind.plural}", wanted["metadata"]["name"])
            digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
            if there and self._applied.get(place) == (digest, _state(there)) and not diverted:
                continue
            try:
                made = await apply_child(
                    self._client, kind, context.key.namespace, wanted, there=there, owner=context.owner
                )
            except NotOurs as error:
                log.info("%s: %s", context.key, error)
                continue
            self._applied[place] = (digest, _state(made))
            mended = mended or there is None or _state(made) != _state(there)
        mended = await self._own_records(context) or mended
        mended = await self._copy(context) or mended
        return await self._drop_budget(context) or mended

    async def _own_records(self, context: ReconcileContext) -> bool:
        """Records that lost their owner would outlive the service. Merged: a record can't be applied anew."""
        lost = [each for each in context.seen.versions.values() if not _is_kept(context.seen, each)]
        for record in lost:
            metadata = record["metadata"]
            owned = {"resourceVersion": metadata["resourceVersion"], "ownerReferences": _owners(context, record)}
            await self._client.merge(SERVICE_VERSION, context.key.namespace, metadata["name"], {"metadata": owned})
        return bool(lost)

    async def _copy(self, context: ReconcileContext) -> bool:
        """Copies of configuration that were deleted, or not made yet, while what they are made of is the same."""
        made = False
        for version, record in context.seen.records.items():
            for name, original in configuration.to_copy(record, context.seen.config_maps).items():
                if original:
                    uid = context.seen.versions[version]["metadata"]["uid"]
                    copied = configuration.copy_of(record, uid, name, original)
                    made = bool(await self._client.create(CONFIG_MAP, context.key.namespace, copied)) or made
        return made

    async def _drop_budget(self, context: ReconcileContext) -> bool:
        name = manifests.active_name(context.key.name)
        if name not in context.seen.budgets or _budget_wanted(context.observed):
            return False
        await self._client.delete(DISRUPTION_BUDGET, context.key.namespace, name)
        return True


def _is_kept(seen: ClusterSnapshot, record: Manifest) -> bool:
    return is_owned(seen, record) or bool(record["metadata"].get("deletionTimestamp"))


def _owners(context: ReconcileContext, record: Manifest) -> list[Manifest]:
    """Those of others stay; a Microservice of this name that is gone does not. One alone may be the controller."""
    ours = context.owner.reference()
    others = [
        each
        for each in record["metadata"].get("ownerReferences") or []
        if (each.get("kind"), each.get("name")) != (ours["kind"], ours["name"])
    ]
    return [*others, ours | {"controller": not any(each.get("controller") for each in others)}]


def _state(manifest: Manifest) -> str:
    """Of what people may change; a Deployment's status changes with each pod."""
    metadata = manifest["metadata"]
    return str(metadata.get("generation") or metadata.get("resourceVersion"))


def _children(context: ReconcileContext) -> Iterator[Wanted]:
    seen, owner = context.seen, context.owner
    for version, record in seen.records.items():
        names = {name: manifests.deployment_name(owner.name, version, name) for name in record.components}
        there = {name: seen.deployments[full] for name, full in names.items() if full in seen.deployments}
        for component, deployment in there.items():
            replicas = deployment["spec"].get("replicas", 1)
            yield DEPLOYMENT, manifests.deployment(owner, record, component, replicas), deployment
        if any(name in SERVING and each["spec"].get("replicas") for name, each in there.items()):
            name = version_name(owner.name, version)
            yield SERVICE, manifests.version_service(owner, record), seen.services.get(name)
    yield from _services(context)


def _services(context: ReconcileContext) -> Iterator[Wanted]:
    seen, owner, active = context.seen, context.owner, context.observed.active
    if active == ANY or active in seen.records:
        ports = ports_of(context, active)
        there = seen.services[manifests.active_name(owner.name)]
        yield SERVICE, manifests.active_service(owner, active, ports), there
        grpc = wanted_by_grpc(seen, active)
        if grpc and not context.observed.active_split:
            there = seen.services[manifests.pods_name(owner.name)]
            yield SERVICE, manifests.pods_service(owner, grpc, ports), there
        if _budget_wanted(context.observed):
            name = manifests.active_name(owner.name)
            yield DISRUPTION_BUDGET, manifests.disruption_budget(owner, active), seen.budgets.get(name)
    preview = seen.services.get(manifests.preview_name(owner.name))
    version = context.observed.preview
    if preview and (version is None or version in seen.records):
        yield SERVICE, manifests.preview_service(owner, version, ports_of(context, version)), preview


def _budget_wanted(observed: Observed) -> bool:
    """Only where an eviction leaves a pod: with one replica a budget would block every drain of a node."""
    if observed.active == ANY:
        return True
    view = observed.versions.get(observed.active) if observed.active else None
    return view is not None and view.wanted > 1


def covers(there: Any, wanted: Any, *, quantities: bool = False) -> bool:
    """Whether all that is wanted is there. What others added, or the API server by default, does not matter."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            covers(there.get(name), each, quantities=quantities or name in QUANTITIES) for name, each in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(there, list) and _covers_list(there, wanted)
    return bool(there == wanted or (quantities and _amount(there) == _amount(wanted) is not None))


def _amount(quantity: Any) -> Decimal | None:
    """The API server writes "1000m" as "1", and 0.5 as "500m"."""
    found = _QUANTITY.fullmatch(str(quantity))
    if found is None:
        return None
    number, unit = found.groups()
    return Decimal(number) * _UNITS[unit]


def _covers_list(there: list[Any], wanted: list[Any]) -> bool:
    for key in ("uid", "name", "mountPath"):
        if wanted and all(isinstance(each, Mapping) and key in each for each in wanted):
            return all(_covers_keyed(there, each, key) for each in wanted)
    return len(there) == len(wanted) and all(map(covers, there, wanted))


def _covers_keyed(there: list[Any], wanted: Mapping[str, Any], key: str) -> bool:
    return any(each.get(key) == wanted[key] and covers(each, wanted) for each in there if isinstance(each, Mapping))
