"""ReleasePlans on a real API server: several services get their new versions together, or all go back."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from slipway_operator.errors import Refused
from slipway_operator.runtimes.kubernetes.api.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.api.kinds import (
    EVENT,
    MICROSERVICE,
    RELEASE_PLAN,
    SERVICE,
    VERSION_LABEL,
    Key,
)
from slipway_operator.runtimes.kubernetes.process.queue import WorkQueue
from slipway_operator.runtimes.kubernetes.reconciler import Reconciler
from support.cluster.control_plane import NAMESPACE, NEEDS, Cluster, Kubelet
from support.cluster.namespace import Answers, hash_of, spec

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
]

SERVICES = ("users", "orders", "shop")
PATIENCE = 120


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


class Fleet:
    """Three services with pods, and an operator whose queue hears of services as from a watch."""

    def __init__(self, client, operator_client, namespace):
        self.client, self.namespace = client, namespace
        self.answers = Answers()
        self.queue = WorkQueue(self._look)
        self.reconciler = Reconciler(operator_client, self.answers, identity="test", add=self.queue.add)
        self.served = {name: [] for name in SERVICES}

    async def _look(self, key):
        again = await self.reconciler.reconcile(key)
        if key.kind is MICROSERVICE:
            service = await self.client.get(SERVICE, self.namespace, key.name)
            version = service["spec"]["selector"].get(VERSION_LABEL) if service else None
            if version and self.served[key.name][-1:] != [version]:
                self.served[key.name].append(version)
        return again

    async def hear(self):
        while True:
            for name in SERVICES:
                self.queue.add(Key(self.namespace, name))
            await asyncio.sleep(0.3)

    async def want(self, name, wanted):
        await self.client.apply(MICROSERVICE, self.namespace, {"metadata": {"name": name}, "spec": wanted})

    async def plan(self, name="shop", **changes):
        waves = [
            {"name": "first", "services": [{"name": "users", "version": ">=2, <3"}]},
            {"name": "second", "services": [{"name": "orders", "version": "2.0"}]},
            {"name": "third", "services": [{"name": "shop", "version": "2.0", "dependsOn": ["orders"]}]},
        ]
        manifest = {"metadata": {"name": name}, "spec": {"waves": waves} | changes}
        await self.client.apply(RELEASE_PLAN, self.namespace, manifest)
        self.queue.add(Key(self.namespace, name, RELEASE_PLAN))

    async def status(self, kind, name):
        found = await self.client.get(kind, self.namespace, name)
        return (found or {}).get("status") or {}

    async def until(self, kind, name, check):
        try:
            async with asyncio.timeout(PATIENCE):
                while not check(status := await self.status(kind, name)):  # noqa: ASYNC110 # polled, as people do
                    await asyncio.sleep(0.1)
                return status
        except TimeoutError:
            raise AssertionError(f"{name}: {await self.status(kind, name)}") from None

    async def installed(self):
        for name in SERVICES:
            await self.want(name, self.spec("1.0"))
        for name in SERVICES:
            await self.until(MICROSERVICE, name, lambda status: status.get("phase") == "Released")

    def spec(self, version, **changes):
        return spec(version, strategy={"scaleDownDelaySeconds": 0, "progressDeadlineSeconds": 60}) | changes

    async def until_said(self, *reasons):
        """An Event follows the status that it tells of."""
        async with asyncio.timeout(PATIENCE):
            while not set(reasons) <= await self._said():  # noqa: ASYNC110 # polled, as people do
                await asyncio.sleep(0.1)

    async def _said(self):
        events = await self.client.list(EVENT, self.namespace)
        return {each["reason"] for each in events if each["regarding"]["kind"] == "ReleasePlan"}


@asynccontextmanager
async def fleet(cluster, namespace):
    async with (
        Client(cluster.access, NoFence(), manager="person") as client,
        Client(cluster.access, NoFence()) as operator_client,
    ):
        await client.create(NAMESPACE, None, {"metadata": {"name": namespace}})
        made = Fleet(client, operator_client, namespace)
        tasks = [
            asyncio.create_task(each) for each in (Kubelet(client, namespace).run(), made.queue.run(), made.hear())
        ]
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


OLD, NEW = "1.0", "2.0"


def test_three_services_get_their_versions_wave_by_wave(cluster):
    async def story():
        async with fleet(cluster, "plan-forward") as shop:
            await shop.installed()
            await shop.plan()
            for name in reversed(SERVICES):
                await shop.want(name, shop.spec(NEW))
            status = await shop.until(RELEASE_PLAN, "shop", lambda each: each.get("ended"))

            assert (status["phase"], status["released"]) == ("Succeeded", 3)
            old, new = hash_of(shop.spec(OLD)), hash_of(shop.spec(NEW))
            assert shop.served == {name: [old, new] for name in SERVICES}
            assert {each["type"]: each["status"] for each in status["conditions"]} == {"Ready": "True"}
            await shop.until_said("PlanReleasing", "PlanSucceeded")
            for name in SERVICES:  # and then the former versions go
                await shop.until(MICROSERVICE, name, lambda each: each["phase"] == "Released")

    asyncio.run(story())


def test_the_last_wave_fails_and_all_return(cluster):
    async def story():
        async with fleet(cluster, "plan-back") as shop:
            await shop.installed()
            await shop.plan()
            gate = {"name": "smoke", "type": "http", "timeoutSeconds": 30, "http": {"path": "/readyz", "status": 201}}
            await shop.want("shop", shop.spec(NEW, gates=[gate]))
            for name in ("users", "orders"):
                await shop.want(name, shop.spec(NEW))
            status = await shop.until(RELEASE_PLAN, "shop", lambda each: each.get("ended"))

            assert status["phase"] == "Failed"
            assert status["failure"].startswith("shop: gate smoke failed")
            old, new = hash_of(shop.spec(OLD)), hash_of(shop.spec(NEW))
            assert shop.served == {"users": [old, new, old], "orders": [old, new, old], "shop": [old]}
            assert {each["state"] for each in status["services"]} == {"Back"}
            await shop.until_said("PlanReturning", "PlanFailed")

            await shop.client.delete(RELEASE_PLAN, shop.namespace, "shop")
            held = await shop.until(MICROSERVICE, "users", lambda each: each["phase"] == "Failed")
            assert held["activeVersion"] == old
            assert "plan shop sent it back: shop: gate smoke failed" in held["blockedBy"]

    asyncio.run(story())


def test_a_plan_that_can_never_be_carried_out_is_refused_at_once(cluster):
    async def story():
        async with fleet(cluster, "plan-refused") as shop:
            wave = {"name": "first", "services": [{"name": "users", "version": ">=2, <1"}]}
            await shop.plan(waves=[wave])
            status = await shop.until(RELEASE_PLAN, "shop", lambda each: each.get("phase") == "Blocked")
            assert status["blockedBy"].startswith("no version of users can be in the range '>=2, <1'")

            first = {"name": "first", "services": [{"name": "users", "version": "2", "dependsOn": ["orders"]}]}
            second = {"name": "second", "services": [{"name": "orders", "version": "2", "dependsOn": ["users"]}]}
            await shop.plan("circle", waves=[first, second])
            status = await shop.until(RELEASE_PLAN, "circle", lambda each: each.get("phase") == "Blocked")
            assert "users depends on orders" in status["blockedBy"]

            # What such a plan names is released as if it was not there.
            await shop.want("users", shop.spec("2.0"))
            await shop.until(MICROSERVICE, "users", lambda each: each.get("phase") == "Released")

            with pytest.raises(Refused, match="A plan is executed once"):
                await shop.plan(waves=[wave | {"name": "other"}])
            with pytest.raises(Refused, match="should match"):
                await shop.plan("words", waves=[{"name": "first", "services": [{"name": "users", "version": "^1.2"}]}])

    asyncio.run(story())


def test_a_service_belongs_to_the_older_of_two_plans(cluster):
    async def story():
        async with fleet(cluster, "plan-two") as shop:
            await shop.installed()
            users = [{"name": "first", "services": [{"name": "users", "version": "2.0"}]}]
            await shop.plan("older", waves=users, paused=True)
            await shop.until(RELEASE_PLAN, "older", lambda each: each.get("phase") in {"Pending", "Paused"})
            await asyncio.sleep(1.1)  # times of creation have seconds
            await shop.plan("younger", waves=users)
            await shop.want("users", shop.spec("2.0"))
            blocked = await shop.until(RELEASE_PLAN, "younger", lambda each: each.get("blockedBy"))
            assert blocked["blockedBy"] == "users belongs to plan older until that has ended"
            waits = await shop.until(MICROSERVICE, "users", lambda each: each.get("phase") == "Waiting")
            assert "plan older promotes it later" in waits["blockedBy"]

            await shop.plan("older", waves=users, abort=True)
            status = await shop.until(RELEASE_PLAN, "older", lambda each: each.get("ended"))
            assert status["failure"] == "it was aborted by a person"
            assert shop.served["users"] == [hash_of(shop.spec("1.0"))]

    asyncio.run(story())
