"""A real API server with etcd and the controllers for Deployments, Jobs and EndpointSlices, as processes.

There is no node: a double of the kubelet says that pods run. What releases are made of is thus the real thing, but
for processes and packets.
"""

import asyncio
import secrets
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime

from conftest import ROOT
from slipway_chassis.embedded.processes import free_port
from slipway_operator.runtimes.kubernetes.access import Access
from slipway_operator.runtimes.kubernetes.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.kinds import POD, Kind

CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "endpointslice-controller",
    "job-controller",
    "garbage-collector-controller",
)
NAMESPACE = Kind("", "v1", "Namespace", "namespaces")
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]
clusters: [{{name: test, cluster: {{server: "{server}", insecure-skip-tls-verify: true}}}}]
users: [{{name: admin, user: {{token: {token}}}}}]
"""


def installed(*tools):
    """Where the tools are; they are built where they are missing."""
    subprocess.run([ROOT / "ci" / "tools" / "install.sh", *tools], check=True, capture_output=True, timeout=1800)
    folder = subprocess.run(
        [ROOT / "ci" / "tools" / "install.sh", "--path"], check=True, capture_output=True, text=True
    ).stdout.strip()
    return [f"{folder}/{tool}" for tool in tools]


class ApiServer:
    """Starts on ``with``; ``access`` reaches it with every right."""

    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self.processes = []
        self.access = Access(f"https://127.0.0.1:{self.port}", insecure=True, token=self.token)
        self.kubeconfig = self.folder / "kubeconfig"

    def __enter__(self):
        try:
            return self._started()
        except BaseException:
            self.__exit__()
            raise

    def _started(self):
        etcd, api, controllers = installed("etcd", "kube-apiserver", "kube-controller-manager")
        self.kubeconfig.write_text(KUBECONFIG.format(server=self.access.server, token=self.token))
        (self.folder / "tokens.csv").write_text(f"{self.token},admin,admin,system:masters\n")
        key = self.folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        client, peer = free_port(), free_port()
        self._start(
            etcd, f"--data-dir={self.folder}/etcd", f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}", f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync", "--log-level=warn",
        )  # fmt: skip
        self._start(
            api, f"--etcd-servers=http://127.0.0.1:{client}", f"--secure-port={self.port}",
            "--bind-address=127.0.0.1", f"--cert-dir={self.folder}/certificates",
            f"--token-auth-file={self.folder}/tokens.csv", "--authorization-mode=RBAC",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.test", "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=ServiceAccount", "--allow-privileged=true",
        )  # fmt: skip
        asyncio.run(self._until_it_answers())
        self._start(
            controllers, f"--kubeconfig={self.kubeconfig}", f"--controllers={','.join(CONTROLLERS)}",
            "--leader-elect=false", "--secure-port=0", "--kube-api-qps=200", "--kube-api-burst=400",
            # Endpoints are gathered for so long on a real cluster as well, and longer: a test need not wait.
            "--endpointslice-updates-batch-period=0s",
        )  # fmt: skip
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, *command):
        log = (self.folder / f"{command[0].rpartition('/')[2]}.log").open("ab")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))

    async def _until_it_answers(self):
        deadline = time.monotonic() + 90
        while True:
            with suppress(Exception):
                async with Client(self.access, NoFence(), timeout=5) as client:
                    await client.list(NAMESPACE)
                    return
            if time.monotonic() > deadline:
                raise AssertionError((self.folder / "kube-apiserver.log").read_text()[-3000:])
            await asyncio.sleep(0.3)


class Kubelet:
    """Says of every pod that it runs and is ready, unless its image is known to be bad; Jobs' pods end.

    An image whose name contains ``missing`` can't be pulled, one with ``crashes`` ends at once. A Job's pod fails
    when its image contains ``fails``.
    """

    def __init__(self, client, namespace):
        self.client = client
        self.namespace = namespace
        self.address = 1

    async def run(self):
        while True:
            with suppress(Exception):
                for pod in await self.client.list(POD, self.namespace):
                    await self._one(pod)
            await asyncio.sleep(0.1)

    async def _one(self, pod):
        if pod["metadata"].get("deletionTimestamp"):
            return
        image = pod["spec"]["containers"][0]["image"]
        job = any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))
        phase = pod.get("status", {}).get("phase", "Pending")
        if job:
            if phase not in {"Succeeded", "Failed"}:
                await self._say(pod, self._ended(image))
        elif "missing" in image or "crashes" in image:
            if not pod["status"].get("containerStatuses"):
                await self._say(pod, self._waiting(pod, image))
        elif phase != "Running":
            await self._say(pod, self._running())

    def _running(self):
        self.address += 1
        address = f"10.1.{self.address // 250}.{self.address % 250 + 1}"
        now = _now()
        return {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": now}
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
        path = POD.path(self.namespace, pod["metadata"]["name"], "status")
        await self.client._write(
            "PATCH", path, {"status": status}, content="application/strategic-merge-patch+json"
        )


def _now():
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
