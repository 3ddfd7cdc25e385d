"""A real API server with etcd and the controllers for Deployments, Jobs and EndpointSlices, as processes.

There is no node: a double of the kubelet says that pods run. What releases are made of is thus the real thing, but
for processes and packets.
"""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime

import aiohttp
import yaml

from slipway_chassis.embedded.processes import Child
from slipway_operator.errors import KubernetesError, Missing, Outdated, Refused
from slipway_operator.runtimes.kubernetes.api.access import Access
from slipway_operator.runtimes.kubernetes.api.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.api.kinds import MICROSERVICE, POD, SERVICE_VERSION, Kind
from slipway_operator.runtimes.kubernetes.api.login import Login
from support.cluster.api_server import TOKEN, ApiServer
from support.repository import ROOT
from support.tools import tool

CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "endpointslice-controller",
    "job-controller",
    "garbage-collector-controller",
)
NAMESPACE = Kind("", "v1", "Namespace", "namespaces")
NODE = Kind("", "v1", "Node", "nodes")
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]
clusters: [{{name: test, cluster: {{server: "{server}", insecure-skip-tls-verify: true}}}}]
users: [{{name: admin, user: {{token: {token}}}}}]
"""


NEEDS = [name for name in ("etcd", "kube-apiserver", "kube-controller-manager") if tool(name) is None]


class Cluster(ApiServer):
    """Starts on ``with``; ``access`` reaches it with every right."""

    def __init__(self, folder, *options):
        super().__init__(folder, *options)
        self.server = f"https://127.0.0.1:{self.port}"
        self.access = Access(lambda: Login(self.server, authorization=f"Bearer {TOKEN}", insecure=True))
        self.kubeconfig = folder / "kubeconfig"
        self._controllers = Child(
            "kube-controller-manager",
            [
                str(tool("kube-controller-manager")), f"--kubeconfig={self.kubeconfig}",
                f"--controllers={','.join(CONTROLLERS)}", "--leader-elect=false", "--secure-port=0",
                "--kube-api-qps=200", "--kube-api-burst=400",
            ],
            folder / "kube-controller-manager.log", env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        )  # fmt: skip

    def __enter__(self):
        super().__enter__()
        self.kubeconfig.write_text(KUBECONFIG.format(server=self.server, token=TOKEN))
        try:
            asyncio.run(self._define())
            self._controllers.start_and_wait(lambda: True, 30)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._controllers.stop()
        super().__exit__()

    async def _define(self):
        async with Client(self.access, NoFence(), manager="test") as client:
            for path in sorted((ROOT / "k8s" / "crds").glob("*.yaml")):
                await client.apply(CRD, None, yaml.safe_load(path.read_text()))
            await client.create(NODE, None, {"metadata": {"name": "node"}})
            # Who starts with the definitions must not depend on when they are served.
            async with asyncio.timeout(30):
                while not all([await _served(client, kind) for kind in (MICROSERVICE, SERVICE_VERSION)]):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)


async def _served(client, kind):
    try:
        await client.list(kind)
    except Missing:
        return False
    return True


async def watched(client, kind, namespace=None, *, selector=""):
    """All objects there are, and then each one whenever it changes; those that are deleted are not told."""
    query = {"labelSelector": selector} if selector else {}
    while True:
        with suppress(KubernetesError, aiohttp.ClientError, TimeoutError, OSError):
            found = await client._request("GET", kind.path(namespace), query=query)
            for each in found["items"]:
                yield each
            since = {"watch": "1", "resourceVersion": found["metadata"]["resourceVersion"]}
            login, transport = await client._connection()
            official = transport._client
            _, url, headers, *_ = await official.param_serialize(
                "GET", kind.path(namespace), query_params=list((query | since).items()), header_params=login.headers()
            )
            unlimited = aiohttp.ClientTimeout(total=None)
            answer = await official.call_api("GET", url, headers, _request_timeout=unlimited)
            async with answer.response as events:
                async for line in events.content:
                    event = json.loads(line)
                    if event["type"] in {"ADDED", "MODIFIED"}:
                        yield event["object"]
                    elif event["type"] != "DELETED":
                        break
        await asyncio.sleep(0.2)


class Kubelet:
    """Says of every pod that it runs and is ready, unless its image is known to be bad; Jobs' pods end.

    An image whose name contains ``missing`` can't be pulled, one with ``crashes`` ends at once, one with ``never``
    runs and is never ready. A Job's pod fails when its image contains ``fails``, and does not end with ``hangs``.
    """

    def __init__(self, client, namespace=None):
        self.client = client
        self.namespace = namespace
        self.address = 1

    async def run(self):
        async for pod in watched(self.client, POD, self.namespace):
            for _ in range(3):
                try:
                    await self._one(pod)
                    break
                except (Missing, Outdated, Refused):  # it is another one by now, which is told too
                    break
                except KubernetesError:
                    await asyncio.sleep(0.5)

    async def _one(self, pod):
        path = POD.path(pod["metadata"]["namespace"], pod["metadata"]["name"])
        if pod["metadata"].get("deletionTimestamp"):
            await self.client._write("DELETE", path, {"gracePeriodSeconds": 0})
            return
        if not pod["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": "node"}
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["metadata"]["name"]}}
            await self.client._write("POST", f"{path}/binding", binding | {"target": target})
        image = pod["spec"]["containers"][0]["image"]
        job = any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))
        phase = pod.get("status", {}).get("phase", "Pending")
        if job:
            if phase not in {"Succeeded", "Failed"} and "hangs" not in image:
                await self._say(pod, self._ended(image))
        elif "missing" in image or "crashes" in image:
            if not pod["status"].get("containerStatuses"):
                await self._say(pod, self._waiting(pod, image))
        elif phase != "Running":
            await self._say(pod, self._running(ready="never" not in image))

    def _running(self, *, ready):
        self.address += 1
        address = f"10.1.{self.address // 250}.{self.address % 250 + 1}"
        now = _now()
        return {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "conditions": [
                {"type": kind, "status": str(ready or kind == "PodScheduled"), "lastTransitionTime": now}
                for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
            ],
        }

    def _ended(self, image):
        return {"phase": "Failed" if "fails" in image else "Succeeded", "startTime": _now()}

    def _waiting(self, pod, image):
        reason = "ImagePullBackOff" if "missing" in image else "CrashLoopBackOff"
        waiting = {"reason": reason, "message": f"Back-off: {image}"}
        name = pod["spec"]["containers"][0]["name"]
        return {
            "phase": "Pending",
            "containerStatuses": [
                {"name": name, "image": image, "imageID": "", "ready": False, "restartCount": 0,
                 "state": {"waiting": waiting}}
            ],
        }  # fmt: skip

    async def _say(self, pod, status):
        path = POD.path(pod["metadata"]["namespace"], pod["metadata"]["name"], "status")
        await self.client._write("PATCH", path, {"status": status}, content="application/strategic-merge-patch+json")


def _now():
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
