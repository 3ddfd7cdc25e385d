"""The operator's process: the Lease, the watches, the queue, the resync, probes and metrics, in one event loop."""

import asyncio
import contextlib
import logging
import signal
import time
from contextlib import closing
from datetime import timedelta

from ....errors import KubernetesError, Overloaded, Refused, Unreachable
from ..api.access import Access
from ..api.client import Client, NoFence
from ..api.freshness import Freshness
from ..api.kinds import Key
from ..gates.checks import HttpFetcher
from ..metrics import Metrics
from ..observe.consumer_group import BrokerInspector, connecting
from ..reconciler import Reconciler, resync
from .claims import Claims
from .lease import Leadership, LeaseDurations
from .probes import serve
from .queue import WorkQueue
from .settings import OperatorSettings
from .watches import watch

log = logging.getLogger(__name__)

RESYNC_SECONDS = 300.0
# A resync that failed is tried again soon.
RETRY_SECONDS = 10.0
LEASE_SILENCE = 60.0


class Operator:
    def __init__(
        self,
        settings: OperatorSettings,
        access: Access,
        namespace: str,
        durations: LeaseDurations = LeaseDurations(),  # noqa: B008
    ) -> None:
        """``namespace``: of the Lease, where the settings name none."""
        self._settings = settings
        self._addresses = settings.addresses(namespace)
        self._access = access
        self._metrics = Metrics()
        self._heard = time.monotonic()
        self._resync_now = asyncio.Event()
        self._queue: WorkQueue | None = None
        self._claims: Claims | None = None
        self._deleted: set[Key] = set()  # and not looked at since
        self._freshness = Freshness()
        self.leadership = Leadership(
            namespace=settings.lease_namespace or namespace,
            name=settings.lease_name,
            identity=settings.pod_name,
            durations=durations,
            began=self._began,
        )

    async def run(self) -> None:
        """Until it is cancelled, or one of its parts ends, which none should."""
        lease_client = Client(self._access, NoFence(), timeout=5)
        with closing(BrokerInspector(connecting(self._settings.kafka), addresses=self._addresses)) as inspector:
            async with lease_client, Client(self._access, self.leadership, freshness=self._freshness) as client:
                await self._run(client, lease_client, inspector)

    async def _run(self, client: Client, lease_client: Client, inspector: BrokerInspector) -> None:
        reconciler = Reconciler(
            client,
            HttpFetcher(self._addresses),
            identity=self._settings.pod_name,
            metrics=self._metrics,
            inspector=inspector,
            addresses=self._addresses,
            add=self._add,
        )
        claims = self._claims = Claims(client, f"{self.leadership.namespace}/{self._settings.lease_name}")
        for namespace in self._settings.namespaces:
            with contextlib.suppress(Unreachable, Overloaded, Refused):  # asked again before anything is done there
                await claims.check(namespace)

        async def look(key: Key) -> timedelta | None:
            if not await claims.holds(key):
                return None
            pause = await reconciler.reconcile(key)
            if pause is None and key in self._deleted:
                self._deleted.discard(key)
                await claims.release(key)
            return pause

        self._queue = WorkQueue(look, max_concurrency=self._settings.max_concurrency)
        self._metrics.watch(self._queue.age_seconds, self._event_age, lambda: self.leadership.held)
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._queue.run(), name="queue")
            parts.create_task(self._resync(client), name="resync")
            watches = watch(self._access, self._settings.namespaces, self._add, self._forget, self._freshness.saw)
            parts.create_task(watches, name="watches")
            parts.create_task(self._serve(), name="probes")
            parts.create_task(self.leadership.run(lease_client), name="lease")

    def _began(self) -> None:
        """Another replica may have led meanwhile."""
        self._freshness.forget()
        if self._claims:
            self._claims.forget()
        self._resync_now.set()

    def _add(self, key: Key) -> None:
        """Whoever does not lead watches, to be ready, and does nothing."""
        self._heard = time.monotonic()
        if self.leadership.held and self._queue and key.possible:
            self._queue.add(key)

    def _forget(self, key: Key) -> None:
        if self._queue:
            self._queue.forget(key)
        if self.leadership.held and key.possible:
            self._deleted.add(key)
            if self._claims:
                self._claims.forget_service(key)

    def _event_age(self) -> float:
        return time.monotonic() - self._heard

    async def _resync(self, client: Client) -> None:
        namespaces: list[str | None] = list(self._settings.namespaces) or [None]
        while True:
            self._resync_now.clear()
            pause = RESYNC_SECONDS
            try:
                await resync(client, namespaces, self._add)
                self._heard = time.monotonic()
            except KubernetesError as error:
                log.warning("the services could not be listed: %s", error)
                pause = RETRY_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._resync_now.wait()

    async def _serve(self) -> None:
        await serve(self._settings.bind_host, self._settings.admin_port, self.sick, self._metrics.registry)

    def sick(self) -> str:
        """Why another process should take this one's place. An API server that is away for a minute is a reason too."""
        if self._event_age() > 2 * RESYNC_SECONDS:
            return f"nothing was heard for {self._event_age():.0f} s, no resync either"
        silence = time.monotonic() - self.leadership.tried
        return f"the Lease was not tried for {silence:.0f} s" if silence > LEASE_SILENCE else ""


async def run(settings: OperatorSettings) -> None:
    """Until the process is asked to end."""
    access = settings.access()
    namespace = (await asyncio.to_thread(access.login)).namespace
    task = asyncio.ensure_future(Operator(settings, access, namespace).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("the operator was asked to end")
