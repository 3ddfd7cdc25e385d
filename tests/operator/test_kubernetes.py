"""Releases on a real API server with real controllers: what people see at the end, and what never happens between."""

import asyncio
import copy
from collections import Counter
from contextlib import asynccontextmanager, suppress

import pytest

from kubernetes_api import NAMESPACE, NEEDS, Cluster, Kubelet
from slipway_operator.errors import KubernetesError
from slipway_operator.runtimes.kubernetes.checking import Answer
from slipway_operator.runtimes.kubernetes.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.kinds import (
    DEPLOYMENT,
    EVENT,
    MICROSERVICE,
    SERVICE,
    SERVICE_VERSION,
    VERSION_LABEL,
)
from slipway_operator.runtimes.kubernetes.looking import Key
from slipway_operator.runtimes.kubernetes.queue import WorkQueue
from slipway_operator.runtimes.kubernetes.reconciler import Reconciler
from slipway_operator.spec.hashing import version_hash
from slipway_operator.spec.microservice import MicroserviceSpec

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
]
PATIENCE = 60


class Killed(BaseException):
    """The operator's process is gone: nothing in it can catch that."""


class Counted(Client):
    """Counts writes, keeps the order of switches, and dies after one if told so."""

    def __init__(self, *arguments, dies_after=None, before=False, **options):
        super().__init__(*arguments, **options)
        self.writes = Counter()
        self.switches = []
        self.dies_after = dies_after
        self.before = before

    async def _write(self, method, path, body, **options):
        dies = self.dies_after is not None and sum(self.writes.values()) + 1 == self.dies_after
        if dies and self.before:
            raise Killed
        self.writes[path] += 1
        done = await super()._write(method, path, body, **options)
        if path.endswith("/services/orders"):
            self.switches.append(body["spec"]["selector"].get(VERSION_LABEL))
        if dies:
            raise Killed
        return done


class Answers:
    """What the gates' addresses answer; tests change it."""

    def __init__(self):
        self.status = 200

    async def ask(self, url, query):
        return Answer(self.status, "")


def pod(image):
    return {"spec": {"containers": [{"name": "main", "image": image, "resources": {"requests": {"cpu": "1000m"}},
                                     "ports": [{"name": "http", "containerPort": 8000}]}]}}  # fmt: skip


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
    async def operator(self, **options):
        """Its queue looks at the service five times a second: the same as events, without their order."""
        async with Counted(self.access, NoFence(), **options) as client:
            reconciler = Reconciler(client, self.answers, identity="test")
            queue = WorkQueue(reconciler.reconcile)
            ended = asyncio.Event()

            async def look():
                try:
                    while True:
                        with suppress(KubernetesError):
                            await reconciler.reconcile(self.key)
                        await asyncio.sleep(self.pause)
                except Killed:
                    ended.set()

            client.ended, client.reconciler, client.queue = ended, reconciler, queue
            task = asyncio.create_task(look())
            try:
                yield client
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

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

    async def events(self):
        """How often each word was said of the Microservice."""
        found = await self.client.list(EVENT, self.namespace)
        return Counter(each["reason"] for each in found if each["regarding"]["kind"] == "Microservice")

    async def released(self, *versions):
        """Each is wanted, and active before the next one is."""
        for wanted in versions:
            await self.want(wanted)
            await self.until_active(wanted)

    async def picture(self):
        """What runs, without what differs by nature from run to run."""
        found = {"selected": await self.selected()}
        for kind in (DEPLOYMENT, SERVICE, SERVICE_VERSION):
            for each in await self.client.list(kind, self.namespace):
                text = copy.deepcopy(each["spec"])
                for name in ("clusterIP", "clusterIPs", "revision"):
                    text.pop(name, None)
                found[kind.name, each["metadata"]["name"]] = text
        status = await self.status()
        found["status"] = {name: status.get(name) for name in ("phase", "activeVersion", "stableVersion", "readiness")}
        return found


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@asynccontextmanager
async def shop(cluster, namespace):
    async with Client(cluster.access, NoFence(), manager="person") as client:
        await client.create(NAMESPACE, None, {"metadata": {"name": namespace}})
        kubelet = asyncio.create_task(Kubelet(client, namespace).run())
        try:
            yield Shop(cluster.access, client, namespace)
        finally:
            kubelet.cancel()
            await asyncio.gather(kubelet, return_exceptions=True)
            with suppress(KubernetesError):
                await client.delete(MICROSERVICE, namespace, "orders")


def test_a_first_version_is_installed(cluster):
    async def story():
        async with shop(cluster, "install") as world, world.operator() as operator:
            await world.want(spec("1.0"))
            await world.until_active(spec("1.0"))

            version = hash_of(spec("1.0"))
            assert await world.selected() == version
            deployment = await world.client.get(DEPLOYMENT, "install", f"orders-{version}-http")
            assert deployment["spec"]["replicas"] == deployment["status"]["readyReplicas"] == 2
            status = await world.status()
            assert status["readiness"] == "2/2"
            assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
            assert status["observedGeneration"] == (await world.microservice())["metadata"]["generation"]
            assert operator.switches == [version]
            assert await world.events() == {"ReleaseStarted": 1, "Released": 1}

    asyncio.run(story())


def test_a_second_version_takes_over_on_its_own(cluster):
    async def story():
        async with shop(cluster, "blue-green") as world, world.operator() as operator:
            first, second = spec("1.0"), spec("2.0", gates=[http_gate()])
            await world.released(first, second)

            old, new = hash_of(first), hash_of(second)
            assert operator.switches == [old, new]
            status = await world.status()
            assert status["stableVersion"] == new
            assert [each["result"] for each in status["history"]] == ["Succeeded", "Succeeded"]
            stopped = await world.client.get(DEPLOYMENT, "blue-green", f"orders-{old}-http")
            assert stopped["spec"]["replicas"] == 0
            preview = await world.client.get(SERVICE, "blue-green", "orders-preview")
            assert preview["spec"]["selector"][VERSION_LABEL] == "none"
            records = await world.client.list(SERVICE_VERSION, "blue-green")
            assert sorted(each["spec"]["revision"] for each in records) == [1, 2]

    asyncio.run(story())


def http_gate(**changes):
    return {"name": "smoke", "type": "http", "http": {"path": "/readyz"}, "intervalSeconds": 1,
            "timeoutSeconds": 10} | changes  # fmt: skip


@pytest.mark.parametrize("what", ["image", "gate"])
def test_a_bad_version_goes_back_by_itself_and_says_why(cluster, what):
    async def story():
        async with shop(cluster, f"bad-{what}") as world, world.operator() as operator:
            await world.released(spec("1.0"))
            bad = spec("2.0", "shop/missing:2.0") if what == "image" else spec("2.0", gates=[http_gate()])
            world.answers.status = 500
            await world.want(bad)

            status = await world.until(lambda status: status["phase"] == "Failed" and status, "it failed")

            assert operator.switches == [hash_of(spec("1.0"))]
            assert status["activeVersion"] == status["stableVersion"] == hash_of(spec("1.0"))
            assert status["heldVersion"]["version"] == hash_of(bad)
            why = "ImagePullBackOff" if what == "image" else "/readyz answered 500, not 200"
            assert why in status["blockedBy"]
            assert {c["type"]: c["status"] for c in status["conditions"]}["Stalled"] == "True"
            assert (await world.events())["ReleaseFailed"] == 1
            assert "Failed" in str(status["history"][-1]["result"])

    asyncio.run(story())


def test_a_person_goes_back_by_naming_a_kept_version(cluster):
    async def story():
        async with shop(cluster, "rollback") as world, world.operator() as operator:
            first, second = spec("1.0"), spec("2.0")
            await world.released(first, second)
            old, new = hash_of(first), hash_of(second)

            await world.want(second | {"release": {"activeVersion": f"orders-{old}"}})
            await world.until(lambda status: status["stableVersion"] == old and not status.get("release"), "back")

            assert await world.selected() == old
            assert operator.switches == [old, new, old]
            assert (await world.status())["history"][-1]["kind"] == "Rollback"
            assert (await world.events())["RolledBack"] == 1

    asyncio.run(story())


def test_at_rest_nothing_is_written(cluster):
    """A template with a value that the API server writes in another form ("1000m") is the hard case."""

    async def story():
        async with shop(cluster, "rest") as world:
            async with world.operator() as operator:
                await world.released(spec("1.0"))
                await at_rest(operator, world)
            # A new process knows nothing: it may apply each child once, without an effect, and then no more.
            async with world.operator() as operator:
                await looked(operator, world, 3)
                first = sum(operator.writes.values())
                version = (await world.microservice())["metadata"]["resourceVersion"]
                await looked(operator, world, 10)
                assert sum(operator.writes.values()) == first
                assert first <= 1, operator.writes
                assert (await world.microservice())["metadata"]["resourceVersion"] == version

    asyncio.run(story())


async def at_rest(operator, world):
    """Small things follow a release: the preview is closed, the budget made."""
    quiet = 0
    async with asyncio.timeout(PATIENCE):
        while quiet < 3:
            quiet = 0 if await operator.reconciler.reconcile(world.key) else quiet + 1


async def looked(operator, world, times):
    for _ in range(times):
        assert await operator.reconciler.reconcile(world.key) is None


def test_what_is_edited_or_deleted_by_hand_is_put_back(cluster):
    async def story():
        async with shop(cluster, "hands") as world, world.operator():
            await world.released(spec("1.0"))
            version, client = hash_of(spec("1.0")), world.client
            before = await world.picture()

            name = f"orders-{version}-http"
            image = {"spec": {"replicas": 5, "template": {"spec": {"containers": [{"name": "main", "image": "x:1"}]}}}}
            await client._write(
                "PATCH", DEPLOYMENT.path("hands", name), image, content="application/strategic-merge-patch+json"
            )
            await client.merge(SERVICE, "hands", "orders", {"spec": {"selector": {VERSION_LABEL: "00000000"}}})
            await client.delete(SERVICE, "hands", f"orders-{version}")
            await same_again(world, before)

            await client.delete(DEPLOYMENT, "hands", name)
            await client.delete(SERVICE, "hands", "orders")
            await same_again(world, before)

    asyncio.run(story())


async def same_again(world, before):
    try:
        async with asyncio.timeout(PATIENCE):
            while await world.picture() != before:  # noqa: ASYNC110 # polled, as people do
                await asyncio.sleep(0.2)
    except TimeoutError:
        assert await world.picture() == before


async def released_with_a_kill(cluster, namespace, gathered, *, after=None, before=False):
    """A release whose operator ends at one write and is started again; None: how many writes there are."""
    async with gathered, shop(cluster, namespace) as world:
        world.pause = 0.3
        async with world.operator():
            await world.released(spec("1.0"))
        second = spec("2.0", gates=[http_gate()])
        await world.want(second)
        switches = []
        async with world.operator(dies_after=after, before=before) as operator:
            if after is None:
                await world.until_active(second)
                return sum(operator.writes.values()), operator.switches, await world.picture()
            async with asyncio.timeout(PATIENCE):
                await operator.ended.wait()
            switches += operator.switches
        async with world.operator() as operator:
            await world.until_active(second)
            switches += operator.switches
        return after, switches, await world.picture()


def test_an_operator_that_ends_at_any_write_goes_on_where_it_stood(cluster):
    async def story():
        gathered = asyncio.Semaphore(4)
        writes, switches, picture = await released_with_a_kill(cluster, "whole", gathered)
        assert switches == [hash_of(spec("2.0"))]
        assert writes >= 10
        stories = await asyncio.gather(
            *(
                released_with_a_kill(
                    cluster, f"{'before' if before else 'after'}-{n}", gathered, after=n, before=before
                )
                for n in range(1, writes + 1)
                for before in (False, True)
            )
        )
        for number, made, seen in stories:
            assert made == switches, number
            assert seen == picture, number

    asyncio.run(story())
