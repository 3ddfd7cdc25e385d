"""The three runtimes of the release engine behind one interface: a fake, this machine, and a real API server.

``want``, ``roll_back`` and ``die_after`` are what a story does; ``watch`` looks, and remembers what must never be.
"""

import asyncio
import contextlib
import json
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import AsyncExitStack
from functools import partial

from slipway_chassis.embedded.processes import Child, free_port
from slipway_gateway.binary import envoy_binary
from slipway_gateway.envoy import envoy_config
from slipway_gateway.inner import Inner
from slipway_gateway.settings_file import checked
from slipway_operator.planning.observed import GateState
from slipway_operator.runtimes.kubernetes.api.kinds import COMPONENT_LABEL, ENDPOINT_SLICE, POD
from slipway_operator.runtimes.kubernetes.api.kinds import VERSION_LABEL as LABEL
from slipway_operator.runtimes.local.gateway import Endpoints
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.processes import Processes
from slipway_operator.runtimes.local.progress import Teller
from slipway_operator.runtimes.local.reconciler import Reconciler
from slipway_operator.runtimes.local.state import Files
from slipway_operator.runtimes.local.system import Releasing, Service
from slipway_operator.runtimes.local.versions import Versions
from slipway_operator.spec.fields import CONSUMING
from slipway_operator.spec.gates import Gate
from support.cluster.namespace import Counted, hash_of, pod, shop
from support.release_world import Nature, World, version_desired, workers_of
from support.repository import ROOT

PATIENCE = 90
ENOUGH_LOOKS = 2000


class Runtime:
    """``sights``: what was seen together, as (active version, versions that consume)."""

    def __init__(self):
        self.sights = []
        self.wrongs = []
        self.guarded = False  # somebody answers, and from now on somebody must

    def look(self):
        """(active version or None, versions that consume, whether the active one answers)."""
        raise NotImplementedError

    def watch(self):
        active, consuming, answers = self.look()
        if (active, consuming) not in self.sights[-1:]:
            self.sights.append((active, consuming))
        self.guarded |= answers
        if self.guarded and not answers:
            self.wrongs.append(f"nobody answered while {active} was active")
        if len(consuming) > 1:
            self.wrongs.append(f"{sorted(consuming)} consumed at once")

    def until(self, condition):
        ends, looks = time.monotonic() + PATIENCE, 0
        while not condition():
            self.pass_time()
            self.watch()
            looks += 1
            late = time.monotonic() > ends or looks > ENOUGH_LOOKS
            assert not late, f"{self.status()}, seen: {self.sights[-6:]}"
        self.watch()

    def until_released(self, version):
        self.until(lambda: self.status()[:2] == ("Released", version))

    def until_held(self, version):
        self.until(lambda: self.status()[0] == "Failed" and self.status()[2] == version)


class FakeRuntime(Runtime):
    def __init__(self):
        super().__init__()
        self.world = World(desired=version_desired("nothing"))
        self._dies_after = None

    def want(self, version, bad=""):
        gate = GateState.FAILED if bad == "gate" else GateState.PASSED
        self.world.release(version, Nature(starts=bad != "start", gate=gate, migrates=bad != "migration"))

    def roll_back(self, version):
        self.world.release(self.world.desired.version, pinned=version)

    def die_after(self, effects):
        self._dies_after = effects

    def pass_time(self):
        effects = 1 + len(self.world.plan().steps)
        if self._dies_after is None or effects < self._dies_after:
            self.world.round()
            self._dies_after = self._dies_after and self._dies_after - effects
        else:
            self.world.round(killed_after=self._dies_after - 1)
            self._dies_after = None
        self.world.tick()

    def look(self):
        return self.world.active, frozenset(self.world.consuming()), self.world.reachable() > 0

    def status(self):
        status_view, facts = self.world.status_view, self.world.facts
        return (status_view.phase if status_view else "", self.world.active, facts.held.version if facts.held else None)

    def close(self):
        pass


class Killed(BaseException):
    """The process is gone: nothing in it can catch that."""


class MortalFiles(Files):
    """Dies after so many writes, the wish not counted: that is written by others."""

    dies_after = None

    def _written(self):
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after <= 0:
                raise Killed

    def write_state(self, state):
        super().write_state(state)
        self._written()

    def write_status(self, status):
        super().write_status(status)
        self._written()


def processes_of(version):
    return ("migrate", "http", *workers_of(version))


class LocalRuntime(Runtime):
    """Real processes of a light service, and the real Envoy before them. Whoever dies takes all processes along."""

    BASE_PORT = 29000

    def __init__(self, folder):
        super().__init__()
        self.layout = Layout(folder, gateway=free_port(), base=self.BASE_PORT)
        self.folder = folder
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "orders.py").write_text("")
        self.service = Service(
            name="orders",
            processes=processes_of("1"),
            command=(sys.executable, "-S", str(ROOT / "tests" / "support" / "light_service.py")),
            env={"LIGHT_FOLDER": str(folder)},
            release=Releasing(
                watch_seconds=1,
                scale_down_delay_seconds=1,
                progress_deadline_seconds=10,
                gates=(Gate.model_validate({"name": "smoke", "type": "http", "http": {"path": "/check"}}),),
            ),
        )
        self.files = MortalFiles(self.layout.releases("orders"))
        self.versions = Versions(self.files.folder, self.service)
        self.endpoints = Endpoints(self.layout.endpoints, self.layout.gateway_admin)
        self.lines = []
        self._begin()
        self._start_envoy()

    def _begin(self):
        self.processes = Processes(self.service, 0, self.layout, self._environment, self._tell)
        self.reconciler = Reconciler(
            self.service,
            self.files,
            processes=self.processes,
            endpoints=self.endpoints,
            hosts=lambda: self.endpoints.hosts([self.service]),
            groups=None,
            teller=Teller("orders", self.files.folder / "journal", self._tell),
        )

    def _tell(self, what, remark):
        self.lines.append(f"{what}: {remark}")

    def _environment(self, service, version, ports):
        return {"HTTP_PORT": str(ports.http), "SERVICE_VERSION": version.label, **version.env}

    def _start_envoy(self):
        layout = self.layout
        settings = checked(
            {
                "listen": {"port": layout.gateway, "metricsPort": layout.gateway_metrics,
                           "adminPort": layout.gateway_admin, "tlsPort": layout.gateway_tls},
                "upstreams": {"orders": {"address": "127.0.0.1", "port": 1}},
                "routes": [{"prefix": "/", "upstream": "orders", "public": True}],
            }
        )  # fmt: skip
        inner = Inner(str(layout.endpoints), {"orders-http": layout.inner(0, "http")})
        config = self.folder / "envoy.json"
        config.write_text(json.dumps(envoy_config(settings, inner=inner)))
        argv = [envoy_binary(), "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"]
        self.envoy = Child("envoy", argv, self.folder / "envoy.log")
        self.envoy.start_and_wait(lambda: self.endpoints.hosts([]) is not None, 30)

    def want(self, version, bad=""):
        kept = {each.label: each for each in self.versions.all().values()}
        code = self.folder / "code"
        found = kept.get(version) or self._keep(version, code, {"BAD": bad} if bad else {})
        desired_release = self.files.desired_release()
        changed = {"version": found.hash, "pinned": None, "generation": desired_release.generation + 1}
        self.files.write_desired_release(desired_release.model_copy(update=changed))

    def _keep(self, version, code, env):
        service = self.service.model_copy(update={"processes": processes_of(version)})
        return Versions(self.files.folder, service).keep(version, source=code, env=env)

    def roll_back(self, version):
        desired_release = self.files.desired_release()
        pinned = {"pinned": self.versions.named(version).hash, "generation": desired_release.generation + 1}
        self.files.write_desired_release(desired_release.model_copy(update=pinned))

    def die_after(self, effects):
        self.files.dies_after = effects

    def pass_time(self):
        try:
            self.reconciler.reconcile()
        except Killed:
            self.files.dies_after = None
            self._end_all(signal.SIGKILL)
            self.guarded = False  # all of it is gone, and starts again
            self._begin()
        time.sleep(0.05)

    def _end_all(self, number):
        for child in self.processes.all():
            child.stop_signal = number
            child.stop()
        self.reconciler.close()

    def look(self):
        labels = {version.hash: version.label for version in self.versions.all().values()}
        seen = self.processes.look()
        consuming = frozenset(labels[each.version] for each in seen if each.component in CONSUMING and each.alive)
        for wrong in self._violations():
            self.wrongs.append(wrong)
        active = labels.get(self.reconciler.active)
        return active, consuming, active is not None and self._answers()

    def _violations(self):
        file = self.folder / "violations"
        return file.read_text().splitlines() if file.exists() else []

    def _answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.layout.gateway}/", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def status(self):
        labels = {version.hash: version.label for version in self.versions.all().values()}
        status = self.reconciler.status
        held = labels.get(status.held_version.version) if status.held_version else None
        fulfilled = status.observed_generation == self.files.desired_release().generation
        return status.phase if fulfilled else "", labels.get(status.active_version), held

    def close(self):
        self._end_all(signal.SIGTERM)
        self.envoy.stop()


class KilledOperatorError(BaseException):
    """The operator's process is gone: nothing in it can catch that."""


class Mortal(Counted):
    """Its operator dies after so many writes, which the API server has then."""

    def __init__(self, *arguments, dies_after=None):
        super().__init__(*arguments)
        self._left = dies_after
        self.ended = False

    async def _write(self, method, path, body, **options):
        done = await super()._write(method, path, body, **options)
        if self._left is not None:
            self._left -= 1
            self.ended = self._left <= 0
            if self.ended:
                raise KilledOperatorError
        return done


class KubernetesRuntime(Runtime):
    """The operator without kopf on a real API server; its loop runs in a thread."""

    def __init__(self, cluster, namespace):
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._stack, self._operator_stack = AsyncExitStack(), AsyncExitStack()
        self.shop = self._do(self._stack.enter_async_context(shop(cluster, namespace)))
        self._labels = {}
        self._wanted = None
        self._start()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def _start(self, dies_after=None):
        self._do(self._operator_stack.aclose())
        client = partial(Mortal, dies_after=dies_after)
        self.operator = self._do(self._operator_stack.enter_async_context(self.shop.operator(client=client)))

    def _spec(self, version, bad=""):
        image = {"start": "shop/missing", "migration": "shop/fails"}.get(bad, "shop/orders")
        template = {"template": pod(f"{image}:{version}")}
        return {
            "version": version,
            "components": dict.fromkeys(("http", *workers_of(version)), template),
            "events": {"group": "orders"},
            "migrations": {"expand": pod(f"{image}:{version}"), "deadlineSeconds": 30},
            "gates": [{"name": "smoke", "type": "http", "http": {"path": "/check"}, "intervalSeconds": 1,
                       "timeoutSeconds": 10}],
            "strategy": {"scaleDownDelaySeconds": 0, "progressDeadlineSeconds": 20},
            "watchSeconds": 1,
        }  # fmt: skip

    def want(self, version, bad=""):
        self.shop.answers.status = 500 if bad == "gate" else 200
        self._want(self._spec(version, bad), version)

    def roll_back(self, version):
        name = next(hash_ for hash_, label in self._labels.items() if label == version)
        self._want(self._wanted | {"release": {"activeVersion": name}})

    def _want(self, wanted, version=None):
        if version:
            self._labels[hash_of(wanted)] = version
        self._wanted = wanted
        self._do(self.shop.want(wanted))

    def die_after(self, effects):
        self._start(dies_after=effects)

    def pass_time(self):
        if self.operator.ended:
            self._start()
        time.sleep(0.1)

    def look(self):
        return self._do(self._look())

    async def _look(self):
        client, namespace = self.shop.client, self.shop.namespace
        pods = await client.list(POD, namespace)
        consuming = {each["metadata"]["labels"].get(LABEL) for each in pods
                     if each["metadata"]["labels"].get(COMPONENT_LABEL) in CONSUMING}  # fmt: skip
        slices = await client.list(ENDPOINT_SLICE, namespace, selector="kubernetes.io/service-name=orders")
        ready = [each for slice_ in slices for each in slice_.get("endpoints") or () if each["conditions"]["ready"]]
        active = self._labels.get(await self.shop.selected())
        return active, frozenset(self._labels.get(each, "?") for each in consuming), bool(active and ready)

    def status(self):
        found = self._do(self.shop.microservice())
        status = found.get("status", {})
        fulfilled = status.get("observedGeneration") == found["metadata"]["generation"]
        held = self._labels.get(status.get("heldVersion", {}).get("version"))
        return status.get("phase") if fulfilled else "", self._labels.get(status.get("activeVersion")), held

    def close(self):
        with contextlib.suppress(Exception):
            self._do(self._operator_stack.aclose())
        self._do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
