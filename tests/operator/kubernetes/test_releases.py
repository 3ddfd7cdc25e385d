"""Releases on a real API server with real controllers: what people see at the end, and what never happens between."""

import asyncio

import pytest

from slipway_operator.runtimes.kubernetes.api.kinds import (
    COMPONENT_LABEL,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EVENT,
    JOB,
    POD,
    RENEWED,
    SERVICE,
    SERVICE_VERSION,
    VERSION_LABEL,
)
from support.cluster.control_plane import NEEDS, Cluster
from support.cluster.namespace import PATIENCE, hash_of, pod, shop, spec

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
]


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


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


def test_a_template_that_is_no_pod_is_told_and_given_up(cluster):
    async def story():
        async with shop(cluster, "no-pod") as world, world.operator() as operator:
            await world.released(spec("1.0"))
            template = pod("shop/orders:2.0")
            template["spec"]["containers"][0]["ports"].append({"name": "a_port", "containerPort": 99999})
            bad = spec("2.0", components={"http": {"template": template}}, strategy={"progressDeadlineSeconds": 10})
            await world.want(bad)

            status = await world.until(lambda status: status["phase"] == "Failed" and status, "it failed")

            assert status["activeVersion"] == hash_of(spec("1.0"))
            assert "must be between 1 and 65535" in status["blockedBy"]
            assert operator.switches == [hash_of(spec("1.0"))]
            events = await world.client.list(EVENT, "no-pod")
            assert any("must be between 1 and 65535" in each.get("note", "") for each in events)

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
            await world.event("RolledBack")
            assert (await world.events())["RolledBack"] == 1

    asyncio.run(story())


def test_pods_that_keep_their_clients_are_replaced_when_the_requests_have_left(cluster):
    async def story():
        async with shop(cluster, "renewed") as world, world.operator():
            strategy = {"scaleDownDelaySeconds": 3000}
            first, second = (spec(version, strategy=strategy) for version in ("1.0", "2.0"))
            old, new = hash_of(first), hash_of(second)
            await world.released(first)
            kept = await pods_of(world, old)

            await world.want(second)
            others = await replaced(world, old, kept)
            assert len(others) == 2
            await world.until(lambda status: status["stableVersion"] == new, "accepted")
            both = await pods_of(world, new)

            await world.want(second | {"release": {"activeVersion": f"orders-{old}"}})
            await world.until(lambda status: status["stableVersion"] == old, "back")
            assert await pods_of(world, old) == others  # the way back begins at once, and costs no pod
            await replaced(world, new, both)
            assert not await noted(world, old)  # and it can be left again

            others = await pods_of(world, old)
            await world.want(second)
            await replaced(world, old, others)

    asyncio.run(story())


async def pods_of(world, version):
    found = await world.client.list(POD, world.namespace, selector=f"{VERSION_LABEL}={version}")
    return {each["metadata"]["uid"] for each in found if not each["metadata"].get("deletionTimestamp")}


async def noted(world, version):
    deployment = await world.client.get(DEPLOYMENT, world.namespace, f"orders-{version}-http")
    return deployment["metadata"].get("annotations", {}).get(RENEWED)


async def replaced(world, version, pods):
    """The pods that are there instead of them."""
    async with asyncio.timeout(PATIENCE):
        while (now := await pods_of(world, version)) & pods or len(now) != len(pods):  # noqa: ASYNC110 # polled
            await asyncio.sleep(0.1)
    assert await noted(world, version)
    return now


def test_at_rest_nothing_is_written(cluster):
    """A template with a value that the API server writes in another form ("1000m") is the hard case."""

    async def story():
        async with shop(cluster, "rest") as world:
            async with world.operator():
                await world.released(spec("1.0"))
            async with world.operator(looks=False) as operator:
                await at_rest(operator, world)
            # A new process knows nothing: it may apply each child once, without an effect, and then no more.
            async with world.operator(looks=False) as operator:
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


def everything(version, image=None):
    template = {"template": pod(image or f"shop/orders:{version}")}
    return spec(
        version,
        components={"http": template, "grpc": template, "relay": template, "consumer": template | {"replicas": 2}},
        ports=[{"name": "http", "port": 80}, {"name": "grpc", "port": 8001, "appProtocol": "kubernetes.io/h2c"}],
        events={"group": "orders"},
        migrations={"expand": pod(f"shop/orders:{version}"), "contract": pod(f"shop/orders:{version}")},
        gates=[{"name": "tests", "type": "job", "timeoutSeconds": 30, "job": {"template": pod("shop/tests:1.0")}}],
    )


def test_consumers_migrations_and_grpc_move_with_a_release(cluster):
    async def story():
        async with shop(cluster, "everything") as world, world.operator():
            consuming = asyncio.create_task(versions_that_consume(world))
            await world.released(everything("1.0"), everything("2.0"))
            consuming.cancel()
            seen = (await asyncio.gather(consuming, return_exceptions=True))[0]
            assert not isinstance(seen, AssertionError), seen

            old, new = hash_of(everything("1.0")), hash_of(everything("2.0"))
            headless = await world.client.get(SERVICE, "everything", "orders-pods")
            assert headless["spec"]["selector"][VERSION_LABEL] == new == await world.selected()
            jobs = {each["metadata"]["name"] for each in await world.client.list(JOB, "everything")}
            assert {f"orders-{version}-{kind}" for version in (old, new) for kind in ("expand", "contract")} == {
                name.rpartition("-")[0] for name in jobs if "gate" not in name
            }
            assert sum("gate" in name for name in jobs) == 2
            status = await world.status()
            assert status["consumers"] == f"2/2 of {new}"
            assert status["history"][-1]["handoverPauseMilliseconds"] > 0
            record = await world.client.get(SERVICE_VERSION, "everything", f"orders-{old}")
            assert "contract migration" in record["status"]["retired"]

    asyncio.run(story())


def test_a_component_comes_and_leaves_with_a_version(cluster):
    """Forward and back; gRPC clients of a version without gRPC are not left with the former one."""

    async def story():
        async with shop(cluster, "component") as world, world.operator() as operator:
            plain, template = spec("1.0"), {"template": pod("shop/orders:2.0")}
            both = spec("2.0", components={"http": template, "grpc": template}, ports=everything("2.0")["ports"])
            third = spec("3.0")
            await world.released(plain, both, third)
            hashes = [hash_of(each) for each in (plain, both, third)]
            headless = await world.client.get(SERVICE, "component", "orders-pods")
            assert headless["spec"]["selector"][VERSION_LABEL] == "none"

            await world.want(third | {"release": {"activeVersion": f"orders-{hashes[1]}"}})
            await world.until(lambda status: status["stableVersion"] == hashes[1] and not status.get("release"), "back")
            headless = await world.client.get(SERVICE, "component", "orders-pods")
            assert headless["spec"]["selector"][VERSION_LABEL] == hashes[1]
            await world.want(third | {"release": {"activeVersion": f"orders-{hashes[0]}"}})
            await world.until(lambda status: status["stableVersion"] == hashes[0] and not status.get("release"), "back")
            assert operator.switches == [*hashes, hashes[1], hashes[0]]

    asyncio.run(story())


def test_a_record_is_owned_and_deleted_once(cluster):
    """Without its owner it would outlive the service; and somebody's finalizer may keep it for ever."""

    async def story():
        async with shop(cluster, "records") as world:
            async with world.operator():
                await world.released(spec("0.9"), spec("1.0"), spec("2.0"))
            first, second = (f"orders-{hash_of(spec(version))}" for version in ("0.9", "2.0"))
            alone = {"metadata": {"ownerReferences": None}}
            await world.client.merge(SERVICE_VERSION, "records", second, alone)
            keep = {"metadata": {"finalizers": ["example.com/keep"]}}
            await world.client.merge(SERVICE_VERSION, "records", first, keep)
            await world.want(spec("2.0") | {"history": 1})
            async with world.operator(looks=False) as operator:
                await at_rest(operator, world)
                record = await world.client.get(SERVICE_VERSION, "records", second)
                [owner] = record["metadata"]["ownerReferences"]
                assert owner["uid"] == (await world.microservice())["metadata"]["uid"]
                kept = await world.client.get(SERVICE_VERSION, "records", first)
                assert kept["metadata"]["deletionTimestamp"]
                writes = sum(operator.writes.values())
                await looked(operator, world, 5)
                assert sum(operator.writes.values()) == writes
            await world.client.merge(SERVICE_VERSION, "records", first, {"metadata": {"finalizers": None}})

    asyncio.run(story())


async def versions_that_consume(world):
    while True:
        pods = await world.client.list(POD, "everything", selector=f"{COMPONENT_LABEL}=consumer")
        there = {each["metadata"]["labels"][VERSION_LABEL] for each in pods}
        assert len(there) <= 1, there
        await asyncio.sleep(0.05)


def test_rolling_replaces_pods_and_keeps_the_capacity(cluster):
    async def story():
        async with shop(cluster, "rolling") as world, world.operator() as operator:
            strategy = {"strategy": {"type": "Rolling", "progressDeadlineSeconds": 30}, "replicas": 4}
            first, second = spec("1.0", **strategy), spec("2.0", **strategy)
            await world.released(first)
            least = asyncio.create_task(least_behind(world))
            await world.released(second)
            least.cancel()

            assert operator.switches == [hash_of(first), None, hash_of(second)]
            assert min(world.counts) >= 4

    asyncio.run(story())


async def least_behind(world):
    world.counts = []
    while True:
        slices = await world.client.list(ENDPOINT_SLICE, "rolling", selector="kubernetes.io/service-name=orders")
        ready = [each for found in slices for each in found["endpoints"] if each["conditions"]["ready"]]
        world.counts.append(len(ready))
        await asyncio.sleep(0.05)
