"""Applications of people who know nothing of Slipway, in a namespace of their own; their load, and who serves when."""

import json
import threading
import time
from functools import partial

from support.kind import commands
from support.kind.commands import run
from support.kind.load_from_pod import STOP, load_pod
from support.repository import ROOT
from support.tools import TOOLS

NAMESPACE = "plain"
IMAGE = "slipway/storefront"  # for its Python, Flask and gunicorn: nothing of ours is imported
VERSION = "slipway.dev/version"
SOURCE = """
import os
from flask import Flask

app = Flask(__name__)

@app.get("/")
def version():
    return os.environ.get("RELEASE", "none")
"""
GUNICORN = ["gunicorn", "--chdir", "/plain", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--threads", "8"]
GUNICORN += ["--keep-alive", "75", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "plain:app"]  # noqa: S108
VOLUMES = [{"name": "plain", "configMap": {"name": "plain"}}]
MOUNTS = [{"name": "plain", "mountPath": "/plain"}]
SLEEP = {"preStop": {"sleep": {"seconds": 5}}}

kubectl = partial(commands.kubectl, namespace=NAMESPACE)
get = partial(commands.get, namespace=NAMESPACE)
helm = partial(commands.helm, namespace=NAMESPACE)
slipway = partial(commands.slipway, namespace=NAMESPACE)
apply = partial(commands.apply, namespace=NAMESPACE)
_begun = partial(commands.begun, namespace=NAMESPACE)


def tag():
    return run(ROOT / "ci" / "images.sh", "tag").strip()


def started():
    """The namespace with the application's source, and a pod that sends requests."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")
    kubectl("create", "namespace", NAMESPACE)
    apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plain"}, "data": {"plain.py": SOURCE}},
        load_pod(f"{IMAGE}:{tag()}"),
    )
    kubectl("wait", "--for=condition=Ready", "pod/load", "--timeout=120s")


def written_by_hand(name):
    """A Deployment and a Service as many have them: the port of the container has no name."""
    container = {
        "name": "app",
        "image": f"{IMAGE}:{tag()}",
        "command": GUNICORN,
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": 8000}},
        "lifecycle": SLEEP,
        "volumeMounts": MOUNTS,
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], "volumes": VOLUMES}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    ports = [{"name": "http", "port": 80, "targetPort": 8000}]
    apply(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": ports},
        },
    )


def made_by_helm_create(name, folder):
    """``helm create``, with the lines of its template changed that nobody can leave as they are."""
    run(f"{TOOLS}/helm", "create", folder / name)
    deployment = folder / name / "templates" / "deployment.yaml"
    port = "          ports:\n            - name: http\n"
    more = "".join(
        f"          {key}: {json.dumps(value)}\n" for key, value in [("command", GUNICORN), ("lifecycle", SLEEP)]
    )
    before = deployment.read_text()
    deployment.write_text(before.replace(port, more + port))
    assert deployment.read_text() != before
    values = {
        "image": {"repository": IMAGE, "tag": tag()},
        "replicaCount": 2,
        "service": {"port": 8000},
        "volumes": VOLUMES,
        "volumeMounts": MOUNTS,
    }
    (folder / "values.json").write_text(json.dumps(values))
    helm("install", name, folder / name, "-f", folder / "values.json")


def microservice(name, release, **more):
    """A Microservice whose pods are those of the Deployment, with another setting for each release."""
    template = get("deployment", name)["spec"]["template"]
    for container in template["spec"]["containers"]:
        container["env"] = [{"name": "RELEASE", "value": str(release)}]
    [port] = get("service", name)["spec"]["ports"]
    spec = {
        "version": f"1.{release}",
        "ports": [{each: port[each] for each in ("name", "port", "targetPort")}],
        # Long enough that no client leaves a former version since its pods are scaled down.
        "strategy": {"type": "BlueGreen", "scaleDownDelaySeconds": 3600},
        "watchSeconds": 1,
        "replicas": 2,
        "components": {"http": {"template": {"spec": template["spec"]}}},
    }
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Microservice",
        "metadata": {"name": name},
        "spec": spec | more,
    }


def accepted(name):
    there = get("microservice", name)
    status = there.get("status", {})
    seen = status.get("observedGeneration") == there["metadata"]["generation"]
    return seen and status["activeVersion"] and status["activeVersion"] == status["stableVersion"]


class Clients:
    """60 requests a second, from inside the cluster, to ``port`` of a Service; half of twelve clients keep their
    connection. ``turns`` (time, client, text) come as they happen; ``answers`` by status and ``failures`` at the end.
    """

    NUMBER = 12

    def __init__(self, name, port):
        self._url = f"http://{name}:{port}"
        self.turns, self._totals = [], {}

    def __enter__(self):
        kubectl("exec", "load", "--", "rm", "-f", STOP)
        source = (ROOT / "tests" / "support" / "load.py").read_text()
        load = ("python", "-c", source, self._url, "/", "60", str(self.NUMBER), STOP, "tolerant")
        self._process = _begun("exec", "load", "--", *load)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self):
        for line in self._process.stdout:
            told = json.loads(line)
            if isinstance(told, dict):
                self._totals = told
            else:
                self.turns.append(told)

    def __exit__(self, *_):
        kubectl("exec", "load", "--", "touch", STOP)
        self._thread.join(60)
        self._process.wait(10)
        assert self._totals, self._process.stderr.read()
        self.answers, self.failures = self._totals["answers"], self._totals["failures"]

    def all_are_told(self, text):
        """Whether ``text`` is what each client was told last."""
        last = {client: answer for _, client, answer in self.turns}
        return list(last.values()) == [text] * self.NUMBER

    def came(self, text, after):
        """Seconds from ``after`` until each client was told ``text``, by client; without those that never were."""
        came = {}
        for moment, client, told in self.turns:
            if told == text and moment >= after:
                came.setdefault(client, moment - after)
        return came


class Switches:
    """When the Service began to select another version: (time, version or None)."""

    def __init__(self, name):
        self._name, self.seen = name, []

    def __enter__(self):
        watch = ("get", "service", self._name, "--watch", '--output=jsonpath={.spec.selector}{"\\n"}')
        self._process = _begun(*watch)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self):
        for line in self._process.stdout:
            version = json.loads(line).get(VERSION)
            if not self.seen or self.seen[-1][1] != version:
                self.seen.append((time.time(), version))

    def __exit__(self, *_):
        self._process.terminate()
        self._thread.join(30)
        self._process.wait(10)
