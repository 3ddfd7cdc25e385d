"""P10: the operator's process beside 200 services at rest, on a real API server with a double of the kubelet."""

import asyncio
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from bench.measuring import at_most, cpu_of
from slipway_operator.runtimes.kubernetes.api.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.api.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    MICROSERVICE,
    SERVICE,
    SERVICE_LABEL,
    VERSION_LABEL,
)
from support.cluster.control_plane import NAMESPACE, Cluster, Kubelet, watched
from support.cluster.cutting_proxy import Proxy
from support.cluster.namespace import hash_of, spec
from support.cluster.operator_process import Process

SERVICES, CHANGES, IDLE_SECONDS, PATIENCE = 200, 20, 60, 1800
NAME = "bench"


def wanted(version="1.0", replicas=1):
    return spec(version, replicas=replicas, watchSeconds=0, strategy={"scaleDownDelaySeconds": 0})


class Bench:
    """Notes by watches when each thing was first so."""

    def __init__(self, client, proxy, process):
        self.client, self.proxy, self.process = client, proxy, process
        self.seen = {}
        self.news = asyncio.Event()

    async def watch(self, kind, facts):
        async for each in watched(self.client, kind, NAME, selector=SERVICE_LABEL):
            for fact in facts(each):
                self.seen.setdefault(fact, time.monotonic())
            self.news.set()

    async def until(self, *facts):
        """When the last of them was so."""
        async with asyncio.timeout(PATIENCE):
            while not all(fact in self.seen for fact in facts):
                self.news.clear()
                await self.news.wait()
        return max(self.seen[fact] for fact in facts)

    async def want(self, name, made):
        await self.client.apply(MICROSERVICE, NAME, {"metadata": {"name": name}, "spec": made})

    async def quiet(self, seconds=5):
        """No write for a while."""
        count = -1
        async with asyncio.timeout(PATIENCE):
            while count != len(self.proxy.writes):
                count = len(self.proxy.writes)
                await asyncio.sleep(seconds)


def _sizes(deployment):
    yield "size", deployment["metadata"]["labels"][SERVICE_LABEL], deployment["spec"]["replicas"]


def _selected(service):
    labels, chosen = service["metadata"]["labels"], service["spec"]["selector"].get(VERSION_LABEL)
    if labels.get("slipway.dev/role") == "active":
        yield "selected", labels[SERVICE_LABEL], chosen


def _ready(found):
    labels = found["metadata"]["labels"]
    if any(each["conditions"].get("ready") for each in found.get("endpoints") or []) and VERSION_LABEL in labels:
        yield "ready", labels[SERVICE_LABEL], labels[VERSION_LABEL]


@contextlib.asynccontextmanager
async def _running(cluster, folder):
    async with Client(cluster.access, NoFence(), manager="person") as client, Proxy(cluster.access, folder) as proxy:
        await client.create(NAMESPACE, None, {"metadata": {"name": NAME}})
        process = Process(proxy.kubeconfig, folder, "operator", namespaces=NAME, lease="bench")
        bench = Bench(client, proxy, process)
        watches = ((DEPLOYMENT, _sizes), (SERVICE, _selected), (ENDPOINT_SLICE, _ready))
        tasks = [asyncio.create_task(bench.watch(*each)) for each in watches]
        tasks.append(asyncio.create_task(Kubelet(client, NAME).run()))
        process.child.start()
        try:
            yield bench
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            process.child.stop()


def _p95(seconds):
    return statistics.quantiles(seconds, n=20)[-1]


async def _story(cluster, folder):
    names = [f"s{number}" for number in range(SERVICES)]
    async with _running(cluster, folder) as bench:
        for name in names:
            await bench.want(name, wanted())
        await bench.until(*(("selected", name, hash_of(wanted())) for name in names))
        await bench.quiet()
        figures = await _idle(bench)
        figures += [await _restart(bench, names[0]), await _changes(bench, names), await _switches(bench, names)]
        return figures


async def _idle(bench):
    bench.proxy.count()
    process = psutil.Process(bench.process.child.pid)
    before, began = cpu_of(process.pid), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    took = time.monotonic() - began
    share, memory = 100 * (cpu_of(process.pid) - before) / took, process.memory_info().rss / 1e6
    writes = len(bench.proxy.writes)
    beside = f"{SERVICES} services at rest"
    return [
        at_most("P10 processor, % of a core", ours=f"{share:.2f} %", peer=beside, value=share, goal=3),
        at_most("P10 memory, MB", ours=f"{memory:.0f} MB", peer=beside, value=memory, goal=200),
        at_most("P10 API writes at rest", ours=f"{writes} in {took:.0f} s", peer=beside, value=writes, goal=0),
    ]


async def _restart(bench, name):
    """From the start of the process until it acts on a change, while it looks at everything for the first time."""
    bench.process.child.stop()
    bench.proxy.count()
    began = time.monotonic()
    bench.process.child.start()
    await bench.want(name, wanted(replicas=3))
    took = await bench.until(("size", name, 3)) - began
    await bench.quiet()
    foreign = [each for each in bench.proxy.writes if f"/{name}" not in each]
    shown = f"{took:.1f} s, {len(foreign)} writes for other services"
    return at_most(
        "P10 restart until it acts, s", ours=shown, peer=f"{SERVICES} services", value=took + len(foreign), goal=10
    )


async def _changes(bench, names):
    times = []
    for name in names[-CHANGES:]:
        began = time.monotonic()
        await bench.want(name, wanted(replicas=2))
        times.append(await bench.until(("size", name, 2)) - began)
    shown = f"p95 {_p95(times):.2f} s, median {statistics.median(times):.2f} s"
    return at_most("P10 change until acted on, s", ours=shown, peer="p95", value=_p95(times), goal=1)


async def _switches(bench, names):
    """From the endpoint that makes a candidate healthy until the active Service selects it."""
    times = []
    for name in names[1 : 1 + CHANGES]:
        version = hash_of(wanted("2.0"))
        await bench.want(name, wanted("2.0"))
        switched = await bench.until(("selected", name, version))
        times.append(switched - await bench.until(("ready", name, version)))
    shown = f"p95 {_p95(times):.2f} s, median {statistics.median(times):.2f} s"
    return at_most("P10 healthy until switched, s", ours=shown, peer="p95", value=_p95(times), goal=1)


def measure():
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        path = Path(folder)
        with Cluster(path / "cluster") as cluster:
            return asyncio.run(_story(cluster, path))
