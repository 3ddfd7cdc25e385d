"""The operator's process is killed -9 at the writes of a release: at every single one, before and after it lands, in
`make soak`; at some of them in each run.

A proxy between it and the API server cuts the connection at the write and kills. A new process goes on. The end must
be that of a release that nobody disturbed, and the active Service must have been switched once.
"""

import asyncio
import contextlib
import json
import re

import pytest

from slipway_operator.runtimes.kubernetes.api.kinds import CONFIG_MAP, JOB, SERVICE, SERVICE_LABEL, VERSION_LABEL
from support.cluster.control_plane import NEEDS, Cluster, watched
from support.cluster.cutting_proxy import Proxy
from support.cluster.namespace import hash_of, pod, shop, spec
from support.cluster.operator_process import Process

pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,
    pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
]

CHAINS = 4  # at the same time at most; each releases again and again, and is killed in each release
PATIENCE = 240
QUIET_SECONDS = 1.2


def version(number):
    """Consumers, two active Services, both migrations, a gate and configuration; one former version is kept."""
    made = pod(f"shop/orders:{number}.0")
    made["metadata"] = {"annotations": {"checksum/config": str(number)}}
    made["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "orders-config"}}]
    return spec(
        f"{number}.0",
        components={name: {"template": made} for name in ("http", "grpc", "consumer")},
        ports=[{"name": "http", "port": 80}, {"name": "grpc", "port": 8001}],
        events={"group": "orders"},
        migrations={"expand": pod(f"shop/orders:{number}.0"), "contract": pod(f"shop/orders:{number}.0")},
        gates=[{"name": "tests", "type": "job", "timeoutSeconds": 300, "job": {"template": pod("shop/tests:1.0")}}],
        strategy={"scaleDownDelaySeconds": 0, "progressDeadlineSeconds": 600},
        watchSeconds=0,
        history=1,
    )


class Chain:
    """One service with one operator; releases one version after the other."""

    def __init__(self, world, proxy, process):
        self.world, self.proxy, self.process = world, proxy, process
        self.number = 0
        self.selected = []

    async def watch(self):
        async for service in watched(self.world.client, SERVICE, self.world.namespace):
            chosen = service["spec"]["selector"].get(VERSION_LABEL)
            if service["metadata"]["name"] == "orders" and self.selected[-1:] != [chosen]:
                self.selected.append(chosen)

    async def want_next(self):
        self.number += 1
        content = {"metadata": {"name": "orders-config"}, "data": {"VERSION": str(self.number)}}
        await self.world.client.apply(CONFIG_MAP, self.world.namespace, content)
        await self.world.want(version(self.number))

    async def released(self):
        """And at rest: small things follow a release."""
        wanted = hash_of(version(self.number))
        async with asyncio.timeout(PATIENCE):
            while True:
                status, writes = await self.world.status(), len(self.proxy.writes)
                if status.get("activeVersion") == wanted and status["phase"] == "Released":
                    await asyncio.sleep(QUIET_SECONDS)
                    if len(self.proxy.writes) == writes:
                        return
                await asyncio.sleep(0.2)

    async def undisturbed(self):
        self.proxy.count()
        await self.want_next()
        await self.released()

    async def killed(self, number, *, lands):
        """Whether there was such a write."""
        self.proxy.kill_at(number, self.process.child, lands=lands)
        await self.want_next()
        killed = asyncio.create_task(self.proxy.killed.wait())
        done = asyncio.create_task(self.released())
        await asyncio.wait({killed, done}, return_when=asyncio.FIRST_COMPLETED)
        if not killed.done():
            killed.cancel()
            await done
            return False
        done.cancel()
        await asyncio.gather(done, return_exceptions=True)
        assert await asyncio.to_thread(self.process.child.wait, 30) == -9
        self.proxy.count()
        self.process.child.start()  # in the same pod: it holds the Lease still
        await self.released()
        return True

    async def until_picture(self, expected, what):
        """The garbage collector takes its time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while await self.snapshot() != expected:  # noqa: ASYNC110 # polled, as people do
                    await asyncio.sleep(0.2)
        assert await self.snapshot() == expected, what

    async def snapshot(self):
        """What there is, in words that do not change from one release to the next."""
        found = await self.world.snapshot()
        for kind in (CONFIG_MAP, JOB):
            for each in await self.world.client.list(kind, self.world.namespace, selector=f"{SERVICE_LABEL}=orders"):
                labels = each["metadata"]["labels"]
                place = labels[VERSION_LABEL], labels.get("slipway.dev/component")
                found[kind.name, place] = [each.get("data"), each.get("immutable")]
        text = json.dumps({str(place): each for place, each in found.items()})
        for number, word in ((self.number, "NEW"), (self.number - 1, "OLD")):
            text = text.replace(hash_of(version(number)), word).replace(f"{number}.0", word)
            text = text.replace(f'"VERSION": "{number}"', f'"VERSION": "{word}"')
            text = text.replace(f'config": "{number}"', f'config": "{word}"')
        text = re.sub(r'(-config": )"[0-9a-f]{16}"', r'\1"DIGEST"', text)
        text = re.sub(r"(NEW|OLD)-[0-9a-f]{8}\b", r"\1-COPY", text)  # it is named after its content
        return json.dumps(json.loads(text), sort_keys=True, indent=1)  # anew: the order was that of hashes


@contextlib.asynccontextmanager
async def chain(cluster, folder, name):
    """With two versions released, so that every further release is like the one before."""
    async with shop(cluster, name) as world, Proxy(cluster.access, folder) as proxy:
        process = Process(proxy.kubeconfig, folder, name, namespaces=name, lease=name)
        made = Chain(world, proxy, process)
        process.child.start()
        watch = asyncio.create_task(made.watch())
        try:
            for _ in range(2):
                await made.undisturbed()
            yield made
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            process.child.stop()


async def chain_of_kills(cluster, folder, name, kills, expected):
    """How many there were."""
    async with chain(cluster, folder, name) as made:
        count = 0
        for number, lands in kills:
            happened = await made.killed(number, lands=lands)
            count += happened
            print(f"{name}: {'killed' if happened else 'no such write'}: {number}, lands: {lands}", flush=True)
            what = f"{name}: killed {'after' if lands else 'before'} write {number}: {made.proxy.writes}"
            await made.until_picture(expected, what)
            assert made.selected == [hash_of(version(each)) for each in range(1, made.number + 1)], what
        assert (await made.world.status())["attempts"] == made.number  # nothing was tried twice
        return count


def every(count):
    return [(number, lands) for number in range(1, count + 1) for lands in (False, True)]


def some(count):
    """What is there before a write is what was left after the one before it: each twentieth is cut after it landed."""
    return [(1, False), *((number, True) for number in range(1, count + 1, 20))]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("which", [some, pytest.param(every, marks=pytest.mark.soak)])
def test_an_operator_killed_at_a_write_goes_on_where_it_stood(which, tmp_path):
    async def story(cluster):
        async with chain(cluster, tmp_path, "whole") as made:
            await made.undisturbed()
            writes, expected = list(made.proxy.writes), await made.snapshot()
        print(*writes, sep="\n")
        assert len(writes) > 20
        kills = which(len(writes))
        chains = min(CHAINS, len(kills) // 3)  # each begins with two releases of its own
        counts = await asyncio.gather(
            *(chain_of_kills(cluster, tmp_path, f"c{one}", kills[one::chains], expected) for one in range(chains))
        )
        print(f"killed {sum(counts)} times in {len(kills)} releases of {len(writes)} writes")
        # Looks that come at other moments need a write more or fewer.
        assert sum(counts) >= 0.9 * len(kills)

    with Cluster(tmp_path / "cluster") as cluster:
        asyncio.run(story(cluster))
