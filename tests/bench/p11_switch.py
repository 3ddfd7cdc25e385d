"""P10: from the patch of a new version to the switched Service, beside Argo Rollouts on the same cluster.

Needs the cluster of `make kind-up`, with the images of `make deploy` in it. Both controllers run in pods; both get the
same pod template (a web server that starts at once, readiness asked each second), two replicas and no gates.

The kubelet looks once a second what its containers do. So a release takes a second more or less by the moment at which
it begins, and a release that begins when the last one has ended always begins at the same: rounds begin at moments
spread over the second, the same for both.
"""

import io
import json
import os
import tarfile
import tempfile
import time
from pathlib import Path

from bench.measuring import Rounds, at_most
from slipway_chassis.testing.plugin import eventually
from support.kind.api import Api, Watch
from support.kind.commands import install_operator, kubectl, run
from support.repository import ROOT
from support.tools import TOOLS

NAMESPACE, PEER_NAMESPACE = "switch-bench", "argo-rollouts"
ROUNDS = int(os.environ.get("ROUNDS", "10"))
GOAL = 1.0
HASHES = ("slipway.dev/version", "rollouts-pod-template-hash")


def measure():
    tag = install_operator()
    install_peer()
    kubectl("create", "namespace", NAMESPACE, check=False)
    with tempfile.TemporaryDirectory() as folder:
        config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        api = Api(config, Path(folder))
        try:
            with Watch(api, f"/api/v1/namespaces/{NAMESPACE}/services") as services:
                contenders = {"slipway": Slipway(api, services, tag), "argo": Argo(api, services, tag)}
                for each in contenders.values():
                    each.install()
                rounds = Rounds({name: each.release for name, each in contenders.items()}, rounds=ROUNDS)
        finally:
            kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    figures = {name: f"{rounds.median(name):.2f} s" for name in contenders}
    return [
        at_most(
            "P10 patch to switched Service / Argo Rollouts",
            ours=figures["slipway"], peer=figures["argo"], value=rounds.ratio("slipway", "argo"), goal=GOAL,
        )
    ]  # fmt: skip


class Contender:
    """One service with its controller; ``release`` gives the seconds from a patch to the switched Service."""

    name = path = ""

    def __init__(self, api, services, tag):
        self.api, self.services = api, services
        self.template = pod_template(f"slipway/operator:{tag}")
        self.released = 0

    def install(self):
        kubectl("apply", "-f", "-", namespace=NAMESPACE, stdin=json.dumps(self.manifests()))
        eventually(self.settled, within=120, every=0.2)

    def release(self):
        before = self.selected()
        wait_for_part_of_second(self.released / ROUNDS)
        self.released += 1
        began = time.time()
        self.api.replace(f"{self.path}/{self.name}", *self.change(f"{began}"))
        switched = eventually(lambda: self.switched_from(before), within=120, every=0.02)
        eventually(self.settled, within=120, every=0.2)
        return switched - began

    def selected(self):
        seen = self.services.of(self.name)
        return hash_of(seen[-1][1]) if seen else ""

    def switched_from(self, before):
        when, service = self.services.of(self.name)[-1]
        return when if hash_of(service) not in ("", before) else None

    def pods(self):
        return self.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector=f"app={self.name}")["items"]

    def get(self):
        return self.api.get(f"{self.path}/{self.name}")

    def labelled(self, mark):
        template = json.loads(json.dumps(self.template))
        template["metadata"] = {"labels": {"app": self.name}}
        template["spec"]["containers"][0]["env"] = [{"name": "RELEASED_AS", "value": mark}]
        return template


class Slipway(Contender):
    name = "by-slipway"
    path = f"/apis/slipway.dev/v1alpha1/namespaces/{NAMESPACE}/microservices"

    def manifests(self):
        return {
            "apiVersion": "slipway.dev/v1alpha1", "kind": "Microservice", "metadata": {"name": self.name},
            "spec": {
                "version": "one", "replicas": 2, "ports": [{"name": "http", "port": 80}], "watchSeconds": 0,
                "components": {"http": {"template": self.labelled("one")}},
                "strategy": {"type": "BlueGreen", "scaleDownDelaySeconds": 1},
            },
        }  # fmt: skip

    def change(self, mark):
        return "/spec/components/http/template", self.labelled(mark)

    def settled(self):
        return self.get().get("status", {}).get("phase") == "Released" and len(self.pods()) == 2


class Argo(Contender):
    name = "by-argo"
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts"

    def manifests(self):
        selector = {"app": self.name}
        service = {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": self.name},
            "spec": {"selector": selector, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        }  # fmt: skip
        rollout = {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": self.name},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": selector}, "template": self.labelled("one"),
                "strategy": {"blueGreen": {"activeService": self.name, "scaleDownDelaySeconds": 1}},
            },
        }  # fmt: skip
        return {"apiVersion": "v1", "kind": "List", "items": [service, rollout]}

    def change(self, mark):
        return "/spec/template", self.labelled(mark)

    def settled(self):
        return self.get().get("status", {}).get("phase") == "Healthy" and len(self.pods()) == 2


def wait_for_part_of_second(part):
    time.sleep((part - time.time()) % 1)


def hash_of(service):
    selector = service["spec"]["selector"]
    return next((selector[name] for name in HASHES if name in selector), "")


def pod_template(image):
    return {"spec": {
        "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "http", "image": image, "command": ["python", "-m", "http.server", "8000", "-d", "/usr/share"],
            "ports": [{"name": "http", "containerPort": 8000}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }],
    }}  # fmt: skip


def install_peer():
    """The peer's own manifests, with an image of its binary: both come from its Go module."""
    run(f"{ROOT}/ci/tools/install.sh", "argo-rollouts", timeout=3000)
    binary = Path(TOOLS, "argo-rollouts").resolve()
    image = f"{PEER_NAMESPACE}:{binary.parent.name}"
    run("docker", "build", "-t", image, "-", stdin=build_context(binary), text=False)
    archive = run("docker", "save", image, text=False)
    node = f"{run(f'{ROOT}/ci/kind.sh', 'name').strip()}-control-plane"
    run("docker", "exec", "-i", node, "ctr", "-n", "k8s.io", "images", "import", "-", stdin=archive, text=False)
    kubectl("create", "namespace", PEER_NAMESPACE, check=False)
    manifests = binary.with_suffix(".yaml")
    kubectl("apply", "--server-side", "--force-conflicts", "-f", manifests, namespace=PEER_NAMESPACE)
    kubectl("set", "image", "deployment/argo-rollouts", f"argo-rollouts={image}", namespace=PEER_NAMESPACE)
    kubectl("patch", "deployment/argo-rollouts", "-p", json.dumps({"spec": {"template": {"spec": {"containers": [
        {"name": "argo-rollouts", "imagePullPolicy": "Never"}]}}}}), namespace=PEER_NAMESPACE)  # fmt: skip
    kubectl("rollout", "status", "deployment/argo-rollouts", "--timeout=180s", namespace=PEER_NAMESPACE)


def build_context(binary):
    dockerfile = b'FROM scratch\nCOPY argo-rollouts /argo-rollouts\nUSER 999\nENTRYPOINT ["/argo-rollouts"]\n'
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        described = tarfile.TarInfo("Dockerfile")
        described.size = len(dockerfile)
        tar.addfile(described, io.BytesIO(dockerfile))
        tar.add(binary, "argo-rollouts")
    return packed.getvalue()
