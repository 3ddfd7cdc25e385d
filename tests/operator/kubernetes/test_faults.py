"""What goes wrong: people's hands, bad versions, configuration, an API server that is away. On a real API server."""

import asyncio
import json

import pytest
import yaml

from slipway_chassis.testing.plugin import eventually
from slipway_operator.runtimes.kubernetes.api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    JOB,
    MICROSERVICE,
    POD,
    SERVICE,
    SERVICE_LABEL,
    SERVICE_VERSION,
    VERSION_LABEL,
)
from support.cluster.control_plane import CRD, NEEDS, Cluster
from support.cluster.namespace import PATIENCE, hash_of, pod, shop, spec
from support.cluster.operator_process import Process
from support.repository import ROOT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
]


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def configured(version, **changes):
    """With a ConfigMap whose content is the version, and two active Services."""
    made = pod(f"shop/orders:{version}")
    made["metadata"] = {"annotations": {"checksum/config": version}}
    made["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": "orders-config"}},
        {"configMapRef": {"name": "orders-extra", "optional": True}},
    ]
    template = {"template": made}
    return spec(
        version,
        components={"http": template, "grpc": template, "consumer": template},
        ports=[{"name": "http", "port": 80}, {"name": "grpc", "port": 8001}],
        events={"group": "orders"},
        migrations={"expand": pod(f"shop/orders:{version}")},
        **{"strategy": {"scaleDownDelaySeconds": 0, "progressDeadlineSeconds": 120}} | changes,
    )


async def configure(world, content, name="orders-config"):
    await world.client.apply(CONFIG_MAP, world.namespace, {"metadata": {"name": name}, "data": {"VERSION": content}})


# --- people's hands
async def edited(world, kind, name, patch):
    await world.client.merge(kind, world.namespace, name, patch)


async def deleted(world, kind, name):
    await world.client.delete(kind, world.namespace, name)


async def deleted_all(world, kind, selector):
    for each in await world.client.list(kind, world.namespace, selector=selector):
        await deleted(world, kind, each["metadata"]["name"])


# Of the active version: each takes the world and the version's hash.
HANDS = {
    "a Deployment's size": lambda w, v: edited(w, DEPLOYMENT, f"orders-{v}-http", {"spec": {"replicas": 5}}),
    "a Deployment's image": lambda w, v: edited(
        w, DEPLOYMENT, f"orders-{v}-http", {"spec": {"template": {"spec": {"containers": [
            {"name": "main", "image": "x:1"}]}}}}
    ),
    "a deleted Deployment": lambda w, v: deleted(w, DEPLOYMENT, f"orders-{v}-http"),
    "consumers that were stopped": lambda w, v: edited(
        w, DEPLOYMENT, f"orders-{v}-consumer", {"spec": {"replicas": 0}}
    ),
    "the active Service's selector": lambda w, _: edited(
        w, SERVICE, "orders", {"spec": {"selector": {VERSION_LABEL: "00000000"}}}
    ),
    "the active Service's port": lambda w, _: edited(
        w, SERVICE, "orders", {"spec": {"ports": [{"name": "http", "port": 81}]}}
    ),
    "a deleted active Service": lambda w, _: deleted(w, SERVICE, "orders"),
    "a deleted active Service for gRPC": lambda w, _: deleted(w, SERVICE, "orders-pods"),
    "a deleted Service of a version": lambda w, v: deleted(w, SERVICE, f"orders-{v}"),
    "a PodDisruptionBudget": lambda w, _: edited(
        w, DISRUPTION_BUDGET, "orders", {"spec": {"maxUnavailable": 2}}
    ),
    "a deleted PodDisruptionBudget": lambda w, _: deleted(w, DISRUPTION_BUDGET, "orders"),
    "a deleted record": lambda w, v: deleted(w, SERVICE_VERSION, f"orders-{v}"),
    "deleted copies of ConfigMaps": lambda w, v: deleted_all(w, CONFIG_MAP, f"{VERSION_LABEL}={v}"),
    "deleted Jobs": lambda w, v: deleted_all(w, JOB, f"{VERSION_LABEL}={v}"),
    "deleted pods": lambda w, v: deleted_all(w, POD, f"{VERSION_LABEL}={v}"),
    "deleted EndpointSlices": lambda w, _: deleted_all(w, ENDPOINT_SLICE, f"{SERVICE_LABEL}=orders"),
    "a wiped status": lambda w, _: w.client._write(
        "PATCH", MICROSERVICE.path(w.namespace, "orders", "status"), {"status": None},
        content="application/merge-patch+json",
    ),
}  # fmt: skip


async def everything(world):
    """What runs, the budget, and the copies of ConfigMaps."""
    found = await world.snapshot()
    for kind in (DISRUPTION_BUDGET, CONFIG_MAP):
        for each in await world.client.list(kind, world.namespace, selector=f"{SERVICE_LABEL}=orders"):
            found[kind.name, each["metadata"]["name"]] = each.get("spec") or each["data"]
    return found


async def same_again(world, before, what):
    try:
        async with asyncio.timeout(PATIENCE):
            while await everything(world) != before:  # noqa: ASYNC110 # polled, as people do
                await asyncio.sleep(0.2)
    except TimeoutError:
        assert await everything(world) == before, what


@pytest.mark.parametrize("moment", ["at-rest", "in-mid-release"])
def test_what_is_edited_or_deleted_by_hand_is_put_back(cluster, moment):
    """Each kind of object, one after the other; and the release goes on to its end."""

    async def story():
        async with shop(cluster, moment) as world, world.operator():
            await configure(world, "1.0")
            await world.released(configured("1.0"))
            second = configured("2.0")
            if moment == "in-mid-release":
                await configure(world, "2.0")
                waiting = second | {"strategy": second["strategy"] | {"autoPromote": False}}
                await world.want(waiting)
                await world.until(lambda status: status["phase"] == "Waiting", "it waits for a person")
                # A copy of the active version's ConfigMap can be made again as long as its content is there.
                await configure(world, "1.0")
            version = hash_of(configured("1.0"))
            await quiet(world)
            before = await everything(world)
            for what, hand in HANDS.items():
                if moment == "in-mid-release" and what == "a wiped status":
                    continue  # what was promoted and checked is then asked again
                if moment == "in-mid-release" and what == "a deleted record":
                    continue  # the spec does not have that version any more: see the next test
                await hand(world, version)
                await same_again(world, before, what)
            if moment == "in-mid-release":
                await world.want(second)
                await world.until_active(second)

    asyncio.run(story())


async def quiet(world):
    """Small things follow a release: the preview is closed, the budget made."""
    last = None
    async with asyncio.timeout(PATIENCE):
        while (now := await everything(world)) != last:
            last = now
            await asyncio.sleep(1)


def test_an_active_version_whose_record_is_deleted_serves_until_the_next_one_does(cluster):
    """Its Deployments were left for ever, and its consumers beside the new ones."""

    async def story():
        async with shop(cluster, "no-record") as world, world.operator() as operator:
            await configure(world, "1.0")
            await world.released(configured("1.0"))
            version = hash_of(configured("1.0"))
            waiting = configured("2.0", strategy={"autoPromote": False, "scaleDownDelaySeconds": 0})
            await world.want(waiting)
            await world.until(lambda status: status["phase"] == "Waiting", "it waits for a person")
            await deleted(world, SERVICE_VERSION, f"orders-{version}")
            await asyncio.sleep(1)
            assert await world.selected() == version
            deployment = await world.client.get(DEPLOYMENT, "no-record", f"orders-{version}-http")
            assert deployment["status"]["readyReplicas"] == 2

            await world.want(configured("2.0"))
            await world.until_active(configured("2.0"))
            async with asyncio.timeout(PATIENCE):
                selector = f"{VERSION_LABEL}={version}"
                while await world.client.list(DEPLOYMENT, "no-record", selector=selector):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            assert operator.switches == [version, hash_of(configured("2.0"))]

    asyncio.run(story())


# --- bad versions
def gate(image, **changes):
    return {"name": "tests", "type": "job", "timeoutSeconds": 10, "intervalSeconds": 1,
            "job": {"template": pod(image)}} | changes  # fmt: skip


NO_POD = pod("shop/orders:2.0")
NO_POD["spec"]["containers"][0]["ports"] = [{"name": "a-port", "containerPort": 99999}]
# Its pods have to be ready before its gates are asked, on a machine that starts nine versions at once.
PATIENT = {"scaleDownDelaySeconds": 0, "progressDeadlineSeconds": 30}
BAD = {
    "crashes": ({"image": "shop/crashes:2.0"}, "CrashLoopBackOff"),
    "is-never-ready": ({"image": "shop/never:2.0"}, "Starting took too long: 0 of 2 pods"),
    "fails-a-gate": ({"gates": [gate("shop/fails:1")], "strategy": PATIENT}, "gate tests failed"),
    "has-a-bad-image": ({"image": "shop/missing:2.0"}, "ImagePullBackOff"),
    "cannot-migrate": (
        {"migrations": {"expand": pod("shop/fails:2.0"), "deadlineSeconds": 10}}, "migration",
    ),
    "has-a-gate-that-never-ends": ({"gates": [gate("shop/hangs:1")], "strategy": PATIENT}, "gate tests"),
    "has-a-migration-that-never-ends": (
        {"migrations": {"expand": pod("shop/hangs:2.0"), "deadlineSeconds": 10}}, "migration",
    ),
    "names-a-variable-twice": ({"env": "TWICE"}, 'duplicate entries for key [name="TWICE"]'),
    "has-a-migration-that-is-no-pod": ({"migrations": {"expand": NO_POD, "deadlineSeconds": 10}}, "99999"),
    "has-a-consumer-that-is-no-pod": (
        {"components": {"http": {"template": pod("shop/orders:2.0")}, "consumer": {"template": NO_POD}},
         "events": {"group": "orders"}}, "99999",
    ),
    "has-a-gate-that-is-no-pod": ({"gates": [gate("x:1", job={"template": NO_POD})]}, "99999"),
    "has-no-configuration": ({"template": "orders-config"}, "ConfigMap orders-config, which the pod templates name"),
}  # fmt: skip


def bad_spec(image=None, template=None, env=None, **changes):
    made = spec("2.0", image, **{"strategy": {"scaleDownDelaySeconds": 0, "progressDeadlineSeconds": 10}} | changes)
    container = made["components"]["http"]["template"]["spec"]["containers"][0]
    if env:
        container["env"] = [{"name": env, "value": "1"}, {"name": env, "value": "2"}]
    if template:
        container["envFrom"] = [{"configMapRef": {"name": template}}]
    return made


def test_a_bad_version_goes_back_by_itself_and_says_why(cluster):
    """In its status, in an Event, and in the record of the version where it has one."""

    async def one(what):
        changes, why = BAD[what]
        bad = bad_spec(**changes)
        async with shop(cluster, f"bad-{what}") as world, world.operator() as operator:
            await world.released(spec("1.0"))
            await world.want(bad)
            status = await world.until(lambda status: status["phase"] == "Failed" and status, what)

            assert operator.switches == [hash_of(spec("1.0"))], what
            assert status["activeVersion"] == status["stableVersion"] == hash_of(spec("1.0")), what
            assert status["heldVersion"]["version"] == hash_of(bad), what
            assert why in status["blockedBy"], what
            assert {c["type"]: c["status"] for c in status["conditions"]}["Stalled"] == "True", what
            failed = await world.event("ReleaseFailed")
            assert why in failed["note"], what
            assert failed["type"] == "Warning"
            record = await world.client.get(SERVICE_VERSION, world.namespace, f"orders-{hash_of(bad)}")
            if what == "has-no-configuration":
                assert record is None
            else:
                await world.until_note(hash_of(bad), why)
            return what

    async def story():
        # All at once: each waits for its deadline.
        assert await asyncio.gather(*map(one, BAD)) == list(BAD)

    asyncio.run(story())


# --- configuration
def test_a_way_back_finds_the_configuration_of_that_time(cluster):
    async def story():
        async with shop(cluster, "configuration") as world, world.operator():
            for version in ("1.0", "2.0"):
                await configure(world, version)
                await world.released(configured(version))
            await configure(world, "3.0", "orders-extra")  # optional, and not there when both were recorded
            old, new = (hash_of(configured(each)) for each in ("1.0", "2.0"))
            assert await content(world, old) == {"VERSION": "1.0"}
            assert await content(world, new) == {"VERSION": "2.0"}

            await world.want(configured("2.0") | {"release": {"activeVersion": old}})
            await world.until(lambda status: status["stableVersion"] == old and not status.get("release"), "back")
            assert await content(world, old) == {"VERSION": "1.0"}

    asyncio.run(story())


async def content(world, version):
    """What the pods of a version read, with what does not exist left out."""
    found = {}
    deployment = await world.client.get(DEPLOYMENT, world.namespace, f"orders-{version}-http")
    for each in deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"]:
        config_map = await world.client.get(CONFIG_MAP, world.namespace, each["configMapRef"]["name"])
        if config_map is None:
            assert each["configMapRef"]["optional"]
        else:
            assert config_map["immutable"]
            found |= config_map["data"]
    return found


def test_a_first_version_waits_for_its_configuration(cluster):
    async def story():
        async with shop(cluster, "waits") as world, world.operator():
            await world.want(configured("1.0"))
            missing = "ConfigMap orders-config, which the pod templates name, does not exist"
            await world.until(lambda status: missing in status.get("blockedBy", ""), "it is named")
            await configure(world, "1.0")
            await world.until_active(configured("1.0"))

    asyncio.run(story())


# --- what this release does not understand
def test_a_spec_of_another_release_is_shown_once_and_changes_nothing(cluster):
    """The definitions are newer than the operator: the API server takes a strategy that it does not know."""

    async def story():
        async with shop(cluster, "newer") as world:
            async with world.operator():
                await world.released(spec("1.0"))
            before = await world.status()
            await define(
                world.client, lambda text: text.replace("- Rolling\n", "- Rolling\n                    - Canary\n")
            )
            await world.want(spec("1.0", strategy={"type": "Canary"}))
            async with world.operator() as operator:
                status = await world.until(lambda status: status["phase"] == "Blocked" and status, "it is shown")
                why = "Microservice orders can't be read by this release of the operator: spec.strategy.type: "
                assert why in status["blockedBy"]
                assert {c["type"]: c["status"] for c in status["conditions"]} == {"Ready": "False", "Stalled": "True"}
                assert {name: status[name] for name in ("activeVersion", "stableVersion", "history")} == {
                    name: before[name] for name in ("activeVersion", "stableVersion", "history")
                }
                for _ in range(3):
                    await operator.reconciler.reconcile(world.key)
                assert sum(operator.writes.values()) == 2  # the status and the Event
                assert (await world.events())["Unreadable"] == 1
                assert await world.selected() == hash_of(spec("1.0"))

                await world.released(spec("1.0"))
            await define(world.client, lambda text: text)

    asyncio.run(story())


async def define(client, changed):
    text = changed((ROOT / "k8s" / "crds" / "microservices.yaml").read_text())
    await client.apply(CRD, None, yaml.safe_load(text))
    await asyncio.sleep(1)


# --- the API server
def test_an_api_server_that_restarts_in_mid_release_costs_nothing(cluster, tmp_path):
    """The operator's process stays, its watches come back, and the release goes on."""
    first, second = spec("1.0"), spec("2.0", strategy={"autoPromote": False, "scaleDownDelaySeconds": 0})

    async def begun():
        async with shop(cluster, "restart", keeps=True) as world:
            await world.released(first)
            await world.want(second)
            await world.until(lambda status: status["phase"] == "Waiting", "it waits for a person")

    async def ended():
        async with shop(cluster, "restart") as world:
            await world.want(second | {"release": {"promote": hash_of(second)}})
            await world.until_active(second)
            assert [each["result"] for each in (await world.status())["history"]] == ["Succeeded", "Succeeded"]
            assert await world.selected() == hash_of(second)

    with Process(cluster.kubeconfig, tmp_path, "restart", namespaces="restart", lease="restart") as process:
        asyncio.run(begun())
        pid = process.child.pid
        cluster.stop_server()
        eventually(lambda: "Lease could not be renewed" in process.log.read_text(), within=60)
        cluster.start_server()
        asyncio.run(ended())
        assert process.child.alive
        assert process.child.pid == pid
        for line in process.log.read_text().splitlines():
            assert json.loads(line)["ecs.version"], line
