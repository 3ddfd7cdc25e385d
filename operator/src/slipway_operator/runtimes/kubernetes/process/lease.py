"""The Lease: of several replicas one acts. Whoever can't renew stops before another one may begin.

The numbers are those of Kubernetes' own components: a Lease lasts 15 s, who has not renewed it for 10 s stops, and it
is tried every 2 s. Clocks of different machines are never compared: another's Lease has ended when it was seen
unchanged for as long as it lasts.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ....errors import KubernetesError, NotLeading
from ..api.client import Client
from ..api.kinds import LEASE

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseDurations:
    """Seconds; the names are those of client-go's leader election."""

    lease_duration: float = 15.0  # after it another replica may lead
    renew_deadline: float = 10.0  # after it without a renewal, this one stops
    retry_period: float = 2.0


class Leadership:
    """Also the fence of the client that writes everything else."""

    def __init__(
        self,
        *,
        namespace: str,
        name: str,
        identity: str,
        durations: LeaseDurations = LeaseDurations(),  # it can't be changed
        began: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.namespace, self._name, self._identity = namespace, name, identity
        self._durations = durations
        self._began = began
        self._monotonic = monotonic
        self._renewed = float("-inf")
        self._seen: tuple[Any, float] = (None, float("-inf"))
        self.tried = monotonic()  # when the Lease was read or written last; liveness looks at it

    @property
    def held(self) -> bool:
        return self._monotonic() - self._renewed < self._durations.renew_deadline

    def check(self) -> None:
        if not self.held:
            raise NotLeading(f"{self._identity} does not hold the Lease {self.namespace}/{self._name}")

    async def run(self, client: Client) -> None:
        """Until it is cancelled; then the Lease is given back, so that nobody has to wait."""
        try:
            while True:
                before = self.held
                await self._try(client)
                if self.held and not before:
                    log.info("this replica leads")
                    self._began()
                elif before and not self.held:
                    log.warning("this replica does not lead any more")
                await asyncio.sleep(self._durations.retry_period)
        finally:
            with contextlib.suppress(KubernetesError):
                await asyncio.shield(self._give_back(client))

    async def _try(self, client: Client) -> None:
        # The time before the request: what the server stored can't be younger.
        began = self._monotonic()
        try:
            async with asyncio.timeout(self._durations.renew_deadline):
                if await self._acquire(client, began):
                    self._renewed = began
            self.tried = self._monotonic()
        except (KubernetesError, TimeoutError) as error:
            log.warning("the Lease could not be renewed: %s", error)

    async def _acquire(self, client: Client, now: float) -> bool:
        lease = await client.get(LEASE, self.namespace, self._name)
        if lease is None:
            spec = self._spec({}, changes=True)
            made = await client.create(LEASE, self.namespace, {"metadata": {"name": self._name}, "spec": spec})
            return bool(made)
        spec = lease.get("spec") or {}
        mine = spec.get("holderIdentity") == self._identity
        if not mine and spec.get("holderIdentity") and not self._ended(lease, now):
            self._renewed = float("-inf")
            return False
        await client.replace(LEASE, self.namespace, {**lease, "spec": self._spec(spec, changes=not mine)})
        return True

    def _ended(self, lease: dict[str, Any], now: float) -> bool:
        version = lease["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, now)
        lasts = float((lease.get("spec") or {}).get("leaseDurationSeconds") or self._durations.lease_duration)
        return now - self._seen[1] >= lasts

    def _spec(self, former: dict[str, Any], *, changes: bool) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            **former,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, int(self._durations.lease_duration)),
            "renewTime": now,
            "acquireTime": now if changes else former.get("acquireTime", now),
            "leaseTransitions": int(former.get("leaseTransitions") or 0) + (1 if changes else 0),
        }

    async def _give_back(self, client: Client) -> None:
        self._renewed = float("-inf")
        lease = await client.get(LEASE, self.namespace, self._name)
        if lease and (lease.get("spec") or {}).get("holderIdentity") == self._identity:
            lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
            await client.replace(LEASE, self.namespace, lease)
