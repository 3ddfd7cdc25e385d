"""Which operator acts in a namespace: the one whose name stands in a ConfigMap there. Two never act on one service.

A Lease says which replica of one installation acts. Two installations, each with a Lease of its own, would undo each
other's work without end. The claim is written once and stays until the namespace's last Microservice is gone: at rest
nothing is written, and an installation that was removed is told apart from one that is away for a moment by a person
alone.
"""

import logging

from ....errors import ClaimedByAnother, NotLeading, Refused
from ..api.client import Client
from ..api.kinds import CONFIG_MAP, MANAGER, MICROSERVICE, Key
from ..objects.manifests import Manifest, Owner

log = logging.getLogger(__name__)

CLAIM = "slipway-operator-claim"
_OPERATOR = "operator"


class Claims:
    def __init__(self, client: Client, installation: str) -> None:
        """``installation``: the same for all replicas of one, and no other's."""
        self._client = client
        self._installation = installation
        self._mine: dict[str, set[str]] = {}  # the Microservices of each namespace that own its claim
        self._told: set[str] = set()

    def forget(self) -> None:
        """Another replica may have led meanwhile, and a person may have taken the claim away."""
        self._mine.clear()

    def forget_service(self, key: Key) -> None:
        """It was deleted: one that is made anew with its name is another owner."""
        self._mine.get(key.namespace, set()).discard(key.name)

    async def check(self, namespace: str) -> None:
        """Raises ClaimedByAnother; claims nothing."""
        holder = await self._holder(namespace)
        if holder not in (None, self._installation):
            raise ClaimedByAnother(
                f"the operator {holder[:500]!r} acts in namespace {namespace}, not this one ({self._installation}): "
                f"leave the namespace to it; or remove it, and then ConfigMap {CLAIM} of the namespace"
            )

    async def holds(self, key: Key) -> bool:
        """Whether this installation acts there; it does where no other one did."""
        namespace = key.namespace
        owners = self._mine.get(namespace)
        if owners is not None and (key.kind is not MICROSERVICE or key.name in owners):
            return True
        try:
            await self._claim(namespace)
        except ClaimedByAnother as error:
            if namespace not in self._told:
                log.warning("%s", error)
                self._told.add(namespace)
            return False
        return True

    async def release(self, key: Key) -> None:
        """Nothing of an installation stays where no Microservice is left. One that is made meanwhile claims it anew."""
        namespace = key.namespace
        self._mine.pop(namespace, None)
        if await self._holder(namespace) != self._installation:  # it went with its services, or changed hands
            return
        if await self._client.list(MICROSERVICE, namespace):
            return
        try:
            await self._client.delete(CONFIG_MAP, namespace, CLAIM)
        except Refused as error:
            log.warning("namespace %s stays claimed: %s", namespace, error)
            return
        if await self._client.list(MICROSERVICE, namespace):
            await self.holds(key)

    async def _holder(self, namespace: str) -> str | None:
        return _holder_of(await self._client.get(CONFIG_MAP, namespace, CLAIM))

    async def _claim(self, namespace: str) -> None:
        """Not where no Microservice is: children of the last one are looked at once more when they end. Nothing is
        written where it stands already with these owners, as for each namespace after a restart.
        """
        found = await self._client.get(CONFIG_MAP, namespace, CLAIM)
        if _holder_of(found) not in (None, self._installation):
            await self.check(namespace)
        services = [each["metadata"] for each in await self._client.list(MICROSERVICE, namespace)]
        owners = [Owner(name=each["name"], uid=each["uid"]) for each in services]
        if found and _owned(found) >= {owner.uid for owner in owners}:
            self._mine[namespace] = {owner.name for owner in owners}
        elif owners:
            await self._write(namespace, owners, anew=found is None)

    async def _write(self, namespace: str, owners: list[Owner], *, anew: bool) -> None:
        claim = {
            "metadata": {
                "name": CLAIM,
                "labels": {"app.kubernetes.io/managed-by": MANAGER},
                "ownerReferences": [owner.reference() | {"controller": False} for owner in owners],
            },
            "data": {_OPERATOR: self._installation},
            "immutable": True,  # no installation makes another's its own
        }
        try:
            if anew:
                await self._client.create(CONFIG_MAP, namespace, claim)
            else:
                await self._client.apply(CONFIG_MAP, namespace, claim)
            await self.check(namespace)
        except (ClaimedByAnother, NotLeading):
            raise
        except Refused as error:  # a quota, or a namespace that ends: no reason to leave its services alone
            log.warning("namespace %s could not be claimed: %s", namespace, error)
        else:
            self._mine[namespace] = {owner.name for owner in owners}


def _holder_of(claim: Manifest | None) -> str | None:
    return None if claim is None else str((claim.get("data") or {}).get(_OPERATOR, ""))


def _owned(claim: Manifest) -> set[str]:
    return {each["uid"] for each in claim["metadata"].get("ownerReferences") or []}
