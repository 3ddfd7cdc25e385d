"""A service changes hands between a chart and the operator, on a real API server with real controllers."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from slipway_operator.kubectl import adoption
from slipway_operator.kubectl.cluster import Cluster as Asked
from slipway_operator.kubectl.cluster import Target
from slipway_operator.kubectl.errors import NotPossible
from slipway_operator.runtimes.kubernetes.api.kinds import (
    ADOPTED_LABEL,
    COMPONENT_LABEL,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    MICROSERVICE,
    POD,
    SERVICE,
    SERVICE_LABEL,
    SERVICE_VERSION,
    VERSION_LABEL,
)
from support.cluster.control_plane import NEEDS, Cluster
from support.cluster.namespace import beside, hash_of, pod, shop, spec
from support.tools import TOOLS

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
]
CHART = {"app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": "r"}
SLOW = "slipway.dev/takes-its-time"  # the double of the kubelet ends a pod at once; a consumer finishes its batch
PORTS = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def labels(component):
    return CHART | {"app.kubernetes.io/component": component}


def charted(component, image="shop/orders:0.9"):
    """A pod template as the chart labels it."""
    return pod(image) | {"metadata": {"labels": labels(component)}}


def wanted(version="1.0", **changes):
    components = {name: {"template": charted(name, f"shop/orders:{version}")} for name in ("http", "consumer")}
    return spec(version, components=components, events={"group": "orders"}) | changes


async def install(world):
    """What an unmanaged release has, and that it answers."""
    for component, replicas in (("http", 3), ("consumer", 1)):
        template = charted(component)
        if component == "consumer":
            template["metadata"]["finalizers"] = [SLOW]
        made = {"replicas": replicas, "selector": {"matchLabels": labels(component)}, "template": template}
        metadata = {"name": f"orders-{component}", "labels": labels(component)}
        await world.client.create(DEPLOYMENT, world.namespace, {"metadata": metadata, "spec": made})
    service = {"selector": labels("http"), "ports": PORTS}
    metadata = {"name": "orders", "labels": labels("http")}
    await world.client.create(SERVICE, world.namespace, {"metadata": metadata, "spec": service})
    await comes_true(lambda: enough(world, 3))


async def comes_true(check):
    async with asyncio.timeout(60):
        while not await check():  # noqa: ASYNC110 # polled, as people do
            await asyncio.sleep(0.1)


async def enough(world, count):
    return len(await answering(world)) >= count


async def answering(world):
    """Names of the pods that are ready endpoints of the Service."""
    slices = await world.client.list(ENDPOINT_SLICE, world.namespace, selector="kubernetes.io/service-name=orders")
    return {
        endpoint["targetRef"]["name"]
        for each in slices
        for endpoint in each.get("endpoints") or []
        if endpoint["conditions"].get("ready")
    }


async def consumers(world):
    """Whose consumers there are: "" is the chart's."""
    found = await world.client.list(POD, world.namespace)
    mine = [each["metadata"]["labels"] for each in found if "consumer" in each["metadata"]["name"]]
    return {each.get(VERSION_LABEL, "") for each in mine}


@asynccontextmanager
async def watched(world):
    """Somebody answers at each moment, and no two kinds of consumers are there at once."""
    seen = []

    async def look():
        ending = 0
        while True:
            seen.append((len(await answering(world)), await consumers(world)))
            ending += await slow_ones(world, let_go=ending > 20)
            await asyncio.sleep(0.05)

    async with beside(look()):
        yield
    assert len(seen) > 5
    assert min(count for count, _ in seen) > 0
    assert all(len(kinds) <= 1 for _, kinds in seen), seen


async def slow_ones(world, *, let_go):
    """How many consumers are asked to end and have not yet; they may when enough looks have seen them."""
    found = await world.client.list(POD, world.namespace)
    ending = [each for each in found if SLOW in each["metadata"].get("finalizers", [])]
    ending = [each["metadata"]["name"] for each in ending if each["metadata"].get("deletionTimestamp")]
    for name in ending if let_go else []:
        await world.client.merge(POD, world.namespace, name, {"metadata": {"finalizers": None}})
    return len(ending)


async def people(cluster, world, do):
    objects = Asked(Target(namespace=world.namespace, kubeconfig=str(cluster.kubeconfig)), print)
    return await asyncio.to_thread(do, objects, "orders")


async def names(world, kind, selector=""):
    return {each["metadata"]["name"] for each in await world.client.list(kind, world.namespace, selector=selector)}


@pytest.fixture(autouse=True)
def _path(monkeypatch):
    monkeypatch.setenv("PATH", TOOLS, prepend=":")


def test_a_first_version_takes_over_and_gives_back(cluster):
    async def story():
        async with shop(cluster, "adopted") as world, world.operator() as operator:
            await install(world)
            async with watched(world):
                await people(cluster, world, adoption.adopt)
                await world.want(wanted())
                await world.until_active(wanted())
                version = hash_of(wanted())
                await comes_true(lambda: gone(world))
                assert operator.switches == [version]
                assert await consumers(world) == {version}
                with pytest.raises(NotPossible, match="managed already"):
                    await people(cluster, world, adoption.adopt)

                answered = await answering(world)
                await people(cluster, world, adoption.orphan)

                assert await answering(world) == answered
            await is_given_back(world, version)
            with pytest.raises(NotPossible, match=r"orders-[a-z]+ is not there"):
                await people(cluster, world, adoption.clean)

    asyncio.run(story())


async def gone(world):
    return not await names(world, DEPLOYMENT, ADOPTED_LABEL)


async def is_given_back(world, version):
    """The Service is the chart's to take, what answered stays, and nothing else is left of the Microservice."""
    service = await world.client.get(SERVICE, world.namespace, "orders")
    assert service["spec"]["selector"] == labels("http")
    assert service["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert service["metadata"]["annotations"]["meta.helm.sh/release-name"] == "r"
    assert service["metadata"]["annotations"]["meta.helm.sh/release-namespace"] == world.namespace
    assert "helm.sh/resource-policy" not in service["metadata"]["annotations"], "uninstall would leave it"
    assert not service["metadata"].get("ownerReferences")
    assert await names(world, SERVICE) == {"orders"}
    for kind in (MICROSERVICE, SERVICE_VERSION, DISRUPTION_BUDGET):
        assert not await names(world, kind), kind.name
    left = await world.client.list(DEPLOYMENT, world.namespace)
    assert {each["metadata"]["name"] for each in left} == {f"orders-{version}-http", f"orders-{version}-consumer"}
    assert not any(each["metadata"].get("ownerReferences") for each in left)
    assert {each["metadata"]["labels"][COMPONENT_LABEL] for each in left} == {"http", "consumer"}


def test_a_first_version_never_has_fewer_pods_than_those_it_takes_over_from(cluster):
    """The Microservice says one pod, as where an autoscaler has not spoken yet; three answer."""

    async def story():
        async with shop(cluster, "sizes") as world, world.operator() as operator:
            await install(world)
            await people(cluster, world, adoption.adopt)
            await world.want(wanted(replicas=1))
            async with watched(world), asyncio.timeout(60):
                while not operator.switches:
                    deployment = await world.client.get(DEPLOYMENT, "sizes", f"orders-{hash_of(wanted())}-http")
                    size = deployment["spec"]["replicas"] if deployment else 0
                    await asyncio.sleep(0.05)
            assert size == 3

    asyncio.run(story())


def test_a_first_version_that_fails_changes_nothing(cluster):
    async def story():
        async with shop(cluster, "failing") as world, world.operator() as operator:
            await install(world)
            before = await answering(world)
            await people(cluster, world, adoption.adopt)
            world.answers.status = 500
            gate = {"name": "smoke", "type": "http", "http": {"path": "/"}, "intervalSeconds": 1, "timeoutSeconds": 2}
            await world.want(wanted(gates=[gate]))

            await world.until(lambda status: status.get("phase") == "Failed", "it failed")
            await comes_true(lambda: unchanged(world, before))

            assert operator.switches == []
            assert await consumers(world) == {""}
            owned = await world.client.get(DEPLOYMENT, "failing", "orders-http")
            assert owned["metadata"]["ownerReferences"][0]["kind"] == "Microservice", "it goes with the Microservice"
            with pytest.raises(NotPossible, match="is Failed: take it back when it is Released"):
                await people(cluster, world, adoption.orphan)

    asyncio.run(story())


async def unchanged(world, before):
    return await answering(world) == before


def test_what_is_not_there_is_told(cluster):
    async def story():
        async with shop(cluster, "nothing") as world:
            for do, words in (
                (adoption.adopt, "a first install needs no adoption"),
                (adoption.orphan, "there is no Microservice orders"),
                (adoption.clean, "nothing of orders is left"),
            ):
                with pytest.raises(NotPossible, match=words):
                    await people(cluster, world, do)

    asyncio.run(story())


def test_adoption_is_undone_where_there_is_no_microservice(cluster):
    async def story():
        async with shop(cluster, "undone") as world:
            await install(world)
            await people(cluster, world, adoption.adopt)
            assert await names(world, DEPLOYMENT, ADOPTED_LABEL) == {"orders-http", "orders-consumer"}

            await people(cluster, world, adoption.orphan)

            for kind in (DEPLOYMENT, SERVICE):
                for each in await world.client.list(kind, "undone"):
                    assert not {SERVICE_LABEL, ADOPTED_LABEL} & each["metadata"]["labels"].keys()
                    assert "helm.sh/resource-policy" not in each["metadata"].get("annotations", {})

    asyncio.run(story())
