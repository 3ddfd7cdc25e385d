"""Gates of the watch are asked at once: one that has no answer takes no time from the others, nor from the way back."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from slipway_operator.runtimes.kubernetes.api.addresses import Addresses
from slipway_operator.runtimes.kubernetes.api.kinds import MICROSERVICE, SERVICE_VERSION, Key
from slipway_operator.runtimes.kubernetes.gates.checks import Answer
from slipway_operator.runtimes.kubernetes.reconciler import Reconciler
from support.cluster.memory_api import MemoryApi
from support.cluster.namespace import hash_of, spec

GATES = [
    {"name": f"errors-{number}", "type": "prometheus", "phase": "afterPromotion",
     "prometheus": {"address": "http://prometheus:9090", "query": f"errors{number}", "max": 1}}
    for number in range(6)
]  # fmt: skip
KEY = Key("shop", "orders")


class Together:
    """Answers when all gates are asked, and not before."""

    def __init__(self, others):
        self.all_asked, self.broken = asyncio.Barrier(others), ""

    async def fetch(self, url, query):
        await self.all_asked.wait()
        if query["query"] == self.broken:
            raise RuntimeError("a fault of one gate")
        return Answer(200, '{"data": {"resultType": "scalar", "result": [1, "0"]}}')


def results(api, version):
    notes = api.objects[SERVICE_VERSION.path("shop", f"orders-{version}")]["metadata"].get("annotations") or {}
    return {name.removeprefix("gate.slipway.dev/") for name in notes if name.startswith("gate.slipway.dev/")}


async def watched(fetcher):
    """An API in which the version of these gates has all requests, and the reconciler that asks them."""
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)
    wanted = spec("1.0", gates=GATES, watchSeconds=300)
    api = MemoryApi()
    api.put(MICROSERVICE, "shop", "orders", {"spec": wanted, "status": {}})
    reconciler = Reconciler(
        api, fetcher, identity="test", clock=lambda: now, addresses=Addresses(["prometheus:9090"], namespace="shop")
    )
    version = hash_of(wanted)
    record = SERVICE_VERSION.path("shop", f"orders-{version}")
    async with asyncio.timeout(60):
        while record not in api.objects or not results(api, version):
            with suppress(RuntimeError):  # it is shown, and the look is repeated
                await reconciler.reconcile(KEY)
            api.settle()
            now += timedelta(seconds=20)
    return results(api, version)


def test_all_are_asked_before_the_first_has_answered():
    async def story():
        assert await watched(Together(len(GATES))) == {gate["name"] for gate in GATES}

    asyncio.run(story())


def test_a_fault_of_one_takes_no_result_from_the_others():
    async def story():
        fetcher = Together(len(GATES))
        fetcher.broken = "errors0"
        assert await watched(fetcher) == {gate["name"] for gate in GATES[1:]}

    asyncio.run(story())
