"""A service in a namespace of a real API server, an operator without kopf that can be killed, and what they see."""

import asyncio
import copy
import logging
from collections import Counter
from contextlib import asynccontextmanager, suppress

from slipway_operator.errors import KubernetesError
from slipway_operator.runtimes.kubernetes.api.addresses import Addresses
from slipway_operator.runtimes.kubernetes.api.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.api.kinds import (
    DEPLOYMENT,
    EVENT,
    MICROSERVICE,
    RENEWED,
    SERVICE,
    SERVICE_VERSION,
    VERSION_LABEL,
    Key,
)
from slipway_operator.runtimes.kubernetes.gates.checks import Answer
from slipway_operator.runtimes.kubernetes.reconciler import Reconciler
from slipway_operator.spec.hashing import version_hash
from slipway_operator.spec.microservice import MicroserviceSpec
from support.cluster.control_plane import NAMESPACE, Kubelet

PATIENCE = 60
ADDRESSES = Addresses(["kafka:9092", "127.0.0.0/8"])  # a broker of this machine
log = logging.getLogger(__name__)


class Counted(Client):
    """Counts writes, and keeps the order of switches."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.writes = Counter()
        self.switches = []

    async def _write(self, method, path, body, **options):
        self.writes[path] += 1
        done = await super()._write(method, path, body, **options)
        if path.endswith("/services/orders") and "spec" in body:
            self.switches.append(done["spec"]["selector"].get(VERSION_LABEL))
        return done


class Answers:
    """What the gates' addresses answer; tests change it."""

    def __init__(self):
        self.status = 200

    async def fetch(self, url, query):
        return Answer(self.status, "")


def pod(image):
    return {"spec": {"containers": [{"name": "main", "image": image, "resources": {"requests": {"cpu": "1000m"}},
                                     "ports": [{"name": "http", "containerPort": 8000},
                                               {"name": "grpc", "containerPort": 8001}]}]}}  # fmt: skip


def spec(version, image=None, **changes):
    made = {
        "version": version,
        "replicas": 2,
        "components": {"http": {"template": pod(image or f"shop/orders:{version}")}},
        "strategy": {"scaleDownDelaySeconds": 0, "progressDeadlineSeconds": 20},
        "watchSeconds": 1,
    }
    return made | changes


def hash_of(wanted):
    return version_hash(MicroserviceSpec.model_validate(wanted))


class Shop:
    """A namespace with one Microservice, and an operator without kopf: every change is found by looking again."""

    pause = 0.1  # between two looks
    inspector = None  # of consumer groups

    def __init__(self, access, client, namespace):
        self.access, self.client, self.namespace = access, client, namespace
        self.key = Key(namespace, "orders")
        self.answers = Answers()

    async def want(self, wanted):
        await self.client.apply(MICROSERVICE, self.namespace, {"metadata": {"name": "orders"}, "spec": wanted})

    async def microservice(self):
        return await self.client.get(MICROSERVICE, self.namespace, "orders")

    async def status(self):
        return (await self.microservice()).get("status", {})

    async def selected(self):
        service = await self.client.get(SERVICE, self.namespace, "orders")
        return service["spec"]["selector"].get(VERSION_LABEL) if service else None

    @asynccontextmanager
    async def operator(self, *, looks=True, client=Counted):
        """It looks at the service again and again: the same as events, without their order."""
        async with client(self.access, NoFence()) as made:
            reconciler = Reconciler(made, self.answers, identity="test", inspector=self.inspector, addresses=ADDRESSES)

            async def look():
                while True:
                    try:
                        await reconciler.reconcile(self.key)
                    except KubernetesError as error:
                        log.warning("%s: %s", self.key, error)
                    except Exception:
                        log.exception("%s", self.key)
                        raise
                    await asyncio.sleep(self.pause)

            made.reconciler = reconciler
            tasks = [asyncio.create_task(look())] if looks else []
            try:
                yield made
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, check, what="", patience=PATIENCE):
        try:
            async with asyncio.timeout(patience):
                while not (found := check(await self.status())):  # noqa: ASYNC110 # polled, as people do
                    await asyncio.sleep(0.1)
                return found
        except TimeoutError:
            raise AssertionError(f"{what}: {await self.status()}") from None

    async def until_active(self, wanted):
        version = hash_of(wanted)
        await self.until(
            lambda status: status.get("activeVersion") == version and status["phase"] == "Released",
            f"{version} is active",
        )

    async def until_note(self, version, why):
        """What the record of a version says about its end."""
        async with asyncio.timeout(PATIENCE):
            while True:
                record = await self.client.get(SERVICE_VERSION, self.namespace, f"orders-{version}")
                if why in record.get("status", {}).get("endedBecause", ""):
                    return
                await asyncio.sleep(0.2)

    async def event(self, reason):
        """The only one of its kind, once it is there: it is told after the status is written."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [each for each in await self.client.list(EVENT, self.namespace) if each["reason"] == reason]
                if found:
                    assert len(found) == 1
                    return found[0]
                await asyncio.sleep(0.2)

    async def events(self):
        """How often each word was said of the Microservice."""
        found = await self.client.list(EVENT, self.namespace)
        return Counter(each["reason"] for each in found if each["regarding"]["kind"] == "Microservice")

    async def released(self, *versions):
        """Each is wanted, and active before the next one is."""
        for wanted in versions:
            await self.want(wanted)
            await self.until_active(wanted)

    async def snapshot(self):
        """What runs, without what differs by nature from run to run."""
        found = {"selected": await self.selected()}
        for kind in (DEPLOYMENT, SERVICE, SERVICE_VERSION):
            for each in await self.client.list(kind, self.namespace):
                text = copy.deepcopy(each["spec"])
                for name in ("clusterIP", "clusterIPs", "revision"):
                    text.pop(name, None)
                if kind is DEPLOYMENT:
                    metadata = text["template"]["metadata"]
                    metadata["annotations"] = metadata.get("annotations") or {}
                    metadata["annotations"].pop(RENEWED, None)
                found[kind.name, each["metadata"]["name"]] = text
        status = await self.status()
        found["status"] = {name: status.get(name) for name in ("phase", "activeVersion", "stableVersion", "readiness")}
        return found


@asynccontextmanager
async def beside(looks):
    """A coroutine that looks for ever, while something goes on."""
    task = asyncio.create_task(looks)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def shop(cluster, namespace, kubelet=Kubelet, *, keeps=False):
    async with Client(cluster.access, NoFence(), manager="person") as client:
        await client.create(NAMESPACE, None, {"metadata": {"name": namespace}})
        running = asyncio.create_task(kubelet(client, namespace).run())
        try:
            yield Shop(cluster.access, client, namespace)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            with suppress(KubernetesError):
                if not keeps:
                    await client.delete(MICROSERVICE, namespace, "orders")
