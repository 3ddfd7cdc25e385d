"""Which operator acts in a namespace: the one whose name stands in a ConfigMap there. Two never act on one service.

A Lease says which replica of one installation acts. Two installations, each with a Lease of its own, would undo each
other's work without end. The claim is written once and stays until the namespace's last Microservice is gone: at rest
nothing is written, and an installation that was removed is told apart from one that is away for a moment by a person
alone.
"""

import logging

from ....errors import ClaimedByAnother, NotLeading, Refused
from ..api.client import Client
from ..api.kinds import CONFIG_MAP, MANAGER, MICROSERVICE

log = logging.getLogger(__name__)

CLAIM = "slipway-operator-claim"
_OPERATOR = "operator"


class Claims:
    def __init__(self, client: Client, installation: str) -> None:
        """``installation``: the same for all replicas of one, and no other's."""
        self._client = client
        self._installation = installation
        self._mine: set[str] = set()
        self._told: set[str] = set()

    def forget(self) -> None:
        """Another replica may have led meanwhile, and a person may have taken the claim away."""
        self._mine.clear()

    async def check(self, namespace: str) -> None:
        """Raises ClaimedByAnother; claims nothing."""
        holder = await self._holder(namespace)
        if holder not in (None, self._installation):
            raise ClaimedByAnother(
                f"the operator {holder[:500]!r} acts in namespace {namespace}, not this one ({self._installation}): "
                f"leave the namespace to it; or remove it, and then ConfigMap {CLAIM} of the namespace"
            )

    async def holds(self, namespace: str) -> bool:
        """Whether this installation acts there; it does where no other one did."""
        if namespace in self._mine:
            return True
        try:
            await self._claim(namespace)
        except ClaimedByAnother as error:
            if namespace not in self._told:
                log.warning("%s", error)
                self._told.add(namespace)
            return False
        return True

    async def release(self, namespace: str) -> None:
        """Nothing of an installation stays where no Microservice is left. One that is made meanwhile claims it anew."""
        if await self._holder(namespace) != self._installation:  # it went with its services, or changed hands
            self._mine.discard(namespace)
            return
        if await self._client.list(MICROSERVICE, namespace):
            return
        try:
            await self._client.delete(CONFIG_MAP, namespace, CLAIM)
        except Refused as error:
            log.warning("namespace %s stays claimed: %s", namespace, error)
            return
        self._mine.discard(namespace)
        if await self._client.list(MICROSERVICE, namespace):
            await self.holds(namespace)

    async def _holder(self, namespace: str) -> str | None:
        claim = await self._client.get(CONFIG_MAP, namespace, CLAIM)
        return None if claim is None else str((claim.get("data") or {}).get(_OPERATOR, ""))

    async def _claim(self, namespace: str) -> None:
        """Not where no Microservice is: children of the last one are looked at once more when they end. Nothing is
        written where it stands already, as for each namespace after a restart.
        """
        if await self._holder(namespace) is not None:
            await self.check(namespace)
            self._mine.add(namespace)
            return
        if not await self._client.list(MICROSERVICE, namespace):
            return
        labels = {"app.kubernetes.io/managed-by": MANAGER}
        claim = {"metadata": {"name": CLAIM, "labels": labels}, "data": {_OPERATOR: self._installation}}
        try:
            await self._client.create(CONFIG_MAP, namespace, claim | {"immutable": True})
            await self.check(namespace)
        except (ClaimedByAnother, NotLeading):
            raise
        except Refused as error:  # a quota, or a namespace that ends: no reason to leave its services alone
            log.warning("namespace %s could not be claimed: %s", namespace, error)
        else:
            self._mine.add(namespace)
