"""A running Service of a team's own chart: blocked, handed over, given back, on a real API server."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from slipway_operator.runtimes.kubernetes.api.kinds import DEPLOYMENT, ENDPOINT_SLICE, MICROSERVICE, POD, SERVICE
from support.cluster.control_plane import NEEDS, Cluster
from support.cluster.namespace import beside, pod, shop, spec
from support.repository import ROOT
from support.tools import tool

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
]
LABELS = {"app": "hello"}
SLOW = "slipway.dev/takes-its-time"  # the double of the kubelet ends a pod at once; one with a preStop sleep stays
THEIR_OBJECTS = ((DEPLOYMENT, "hello"), (SERVICE, "orders"))
THEIRS = {"selector": LABELS, "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8000}]}


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


async def install(world):
    """What a team's own chart made: a Deployment with another name, and the Service that clients know."""
    template = pod("team/hello:0.9") | {"metadata": {"labels": LABELS}}
    made = {"replicas": 3, "selector": {"matchLabels": LABELS}, "template": template}
    await world.client.create(DEPLOYMENT, world.namespace, {"metadata": {"name": "hello"}, "spec": made})
    await world.client.create(SERVICE, world.namespace, {"metadata": {"name": "orders"}, "spec": THEIRS})
    await comes_true(lambda: reached(world, "hello-", 3))


async def comes_true(check):
    async with asyncio.timeout(60):
        while not await check():  # noqa: ASYNC110 # polled, as people do
            await asyncio.sleep(0.1)


async def answering(world):
    """Names of the pods that clients of the Service reach: behind a port, and not in a slice without one."""
    slices = await world.client.list(ENDPOINT_SLICE, world.namespace, selector="kubernetes.io/service-name=orders")
    return {
        endpoint["targetRef"]["name"]
        for each in slices
        if any(port["name"] == "http" for port in each.get("ports") or [])
        for endpoint in each.get("endpoints") or []
        if endpoint["conditions"].get("ready") or endpoint["conditions"].get("serving")  # while it ends, too
    }


async def reached(world, start, count):
    found = await answering(world)
    return len(found) == count and all(name.startswith(start) for name in found)


@asynccontextmanager
async def always_answered(world):
    counts = []

    async def look():
        while True:
            counts.append(len(await answering(world)))
            await asyncio.sleep(0.02)

    async with beside(look()):
        yield
    assert len(counts) > 5
    assert min(counts) > 0


def test_a_running_service_is_taken_with_consent_alone_and_given_back(cluster):
    async def story():
        async with shop(cluster, "lent") as world, world.operator() as operator, always_answered_in(world):
            before = (await world.client.get(SERVICE, "lent", "orders"))["spec"]
            await world.want(spec("1.0", components={"http": {"template": slow_pod()}}))
            status = await world.until(lambda status: status.get("phase") == "Blocked" and status, "it is blocked")
            assert "Service orders exists and belongs to" in status["blockedBy"]
            assert (await world.client.get(SERVICE, "lent", "orders"))["spec"] == before
            assert operator.switches == []

            wanted = spec("1.0", adopt={"services": ["orders"]}, components={"http": {"template": slow_pod()}})
            await world.want(wanted)
            await world.until_active(wanted)
            await comes_true(lambda: holds(world, "orders-", 2))

            await world.client.delete(MICROSERVICE, "lent", "orders")
            await comes_true(lambda: selects(world, LABELS))
            await comes_true(lambda: holds(world, "hello-", 3))
            await let_go(world)
            await comes_true(lambda: reached(world, "hello-", 3))
            after = await world.client.get(SERVICE, "lent", "orders")
            assert after["spec"] == before
            assert not after["metadata"].get("ownerReferences")
            assert not after["metadata"].get("annotations")

    asyncio.run(story())


@asynccontextmanager
async def always_answered_in(world):
    await install(world)
    async with always_answered(world):
        yield


def test_a_deployment_that_is_handed_over_serves_until_the_version_does_and_gets_its_pods_back(cluster):
    async def story():
        async with shop(cluster, "both") as world, world.operator():
            wanted = spec("1.0", adopt={"services": ["orders"], "deployments": ["hello"]})
            async with always_answered_in(world):
                await world.want(wanted)
                await world.until_active(wanted)
                await comes_true(lambda: size_of(world, "hello", 0))
            await world.client.delete(MICROSERVICE, "both", "orders")
            await comes_true(lambda: reached(world, "hello-", 3))

    asyncio.run(story())


def slow_pod():
    made = pod("shop/orders:1.0")
    return made | {"metadata": {"finalizers": [SLOW]}}


async def holds(world, start, count):
    return len([name for name in await answering(world) if name.startswith(start)]) >= count


async def selects(world, selector):
    return (await world.client.get(SERVICE, world.namespace, "orders"))["spec"]["selector"] == selector


async def let_go(world):
    for each in await world.client.list(POD, world.namespace):
        if SLOW in each["metadata"].get("finalizers", []):
            await world.client.merge(POD, world.namespace, each["metadata"]["name"], {"metadata": {"finalizers": None}})


async def size_of(world, name, count):
    return (await world.client.get(DEPLOYMENT, world.namespace, name))["spec"]["replicas"] == count


@pytest.mark.skipif(tool("kubectl") is None, reason="not built: ci/tools/install.sh kubectl")
def test_a_written_microservice_changes_nothing_until_it_is_applied_and_takes_over_then(cluster, tmp_path):
    """The commands of docs/bring-your-own.md, as they stand there; these tests call the Service orders."""
    page = (ROOT / "docs" / "bring-your-own.md").read_text().partition("## An existing application, step by step")[2]
    block = page.partition("```sh\n")[2].partition("```")[0].replace("--service hello", "--service orders")
    check, adopt, apply = block.replace("-n team", "-n written").splitlines()
    path = f"{Path(sys.executable).parent}:{tool('kubectl').parent}:/usr/bin:/bin"
    environment = {"PATH": path, "HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig)}

    async def typed(command, code=0):
        done = await asyncio.to_thread(
            subprocess.run, command.split(), env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    async def found(world):
        """Both objects but for what controllers of Kubernetes write by themselves: status, and who wrote when."""
        objects = [await world.client.get(kind, "written", name) for kind, name in THEIR_OBJECTS]
        written = ("resourceVersion", "managedFields")
        return [
            (each["spec"], {key: value for key, value in each["metadata"].items() if key not in written})
            for each in objects
        ]

    async def story():
        async with shop(cluster, "written") as world, world.operator(), always_answered_in(world):
            before = await found(world)
            assert "no container has lifecycle.preStop" in await typed(check, code=1)
            said = await typed(adopt)
            assert "nothing in the cluster was changed" in said
            assert "next: kubectl apply -n written -f microservice.yaml" in said
            assert await found(world) == before
            assert "is there already" in await typed(adopt, code=1)

            await typed(apply)
            await comes_true(lambda: holds(world, "orders-", 3))

    asyncio.run(story())
