"""A small service in a namespace of its own, released by the operator: its chart, its load, and who selects what."""

import base64
import json
import secrets
import threading
import time
from functools import partial

from joserfc.jwk import ECKey

from slipway_chassis.testing.plugin import eventually
from slipway_operator.kubectl.adoption_commands import adopt, orphan
from support.kind import commands, load_from_pod
from support.kind.commands import run
from support.repository import ROOT

NAMESPACE, RELEASE, NAME = "managed", "face", "face-storefront"
VERSION = "slipway.dev/version"
SERVICE_LABEL = "slipway.dev/microservice"
TAG = run(ROOT / "ci" / "images.sh", "tag").strip()
IMAGE = f"slipway/storefront:{TAG}"
MANAGED = ("--set", "release.managed=true", "--set", "release.strategy=blueGreen")
# Storefront alone: HTTP without a database. Its readiness asks for the issuer's keys, which a pod of ours has.
VALUES = {
    "image": {"tag": TAG},
    "auth": {"issuer": "http://keys:8080", "audience": "shop", "jwksUrl": "http://keys:8080/jwks.json"},
    "networkPolicy": {"issuerPort": 8080},
    "drain": {"preStopSeconds": 3, "gracefulSeconds": 5},
    "http": {"replicas": 2, "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}},
    "release": {"watchSeconds": 1, "scaleDownDelaySeconds": 1},
}

kubectl = partial(commands.kubectl, namespace=NAMESPACE)
get = partial(commands.get, namespace=NAMESPACE)
helm = partial(commands.helm, namespace=NAMESPACE)
slipway = partial(commands.slipway, namespace=NAMESPACE)
apply = partial(commands.apply, namespace=NAMESPACE)
_begun = partial(commands.begun, namespace=NAMESPACE)
LoadFromPod = partial(load_from_pod.LoadFromPod, NAMESPACE, f"http://{NAME}", "/healthz", rate=40, clients=8)


def upgrade(*options, four=False, install=False, chart=ROOT / "charts" / "storefront", **more):
    verb = ("install", RELEASE) if install else ("upgrade", RELEASE)
    values = ROOT / "build" / "managed-values.json"
    values.parent.mkdir(exist_ok=True)
    values.write_text(json.dumps(VALUES))
    return helm(*verb, chart, "-f", values, *options, four=four, **more)


def adopted():
    said, error = slipway(adopt, NAME)
    assert error is None, error
    return said


def orphaned(*options):
    return slipway(orphan, NAME, *options)


def microservice():
    return get("microservices", NAME)


def selector():
    return get("service", NAME)["spec"]["selector"]


def pods(version=None, *, ready=False):
    wanted = f"{SERVICE_LABEL}={NAME}" + (f",{VERSION}={version}" if version else "")
    found = [pod for pod in get("pods", "-l", wanted)["items"] if not pod["metadata"].get("deletionTimestamp")]
    conditions = [{each["type"]: each["status"] for each in pod["status"].get("conditions", [])} for pod in found]
    return {
        pod["metadata"]["name"]
        for pod, told in zip(found, conditions, strict=True)
        if not ready or told.get("Ready") == "True"
    }


def released(seconds=600):
    """The version that is active, once the operator has nothing left to do."""
    eventually(lambda: _at_rest(microservice()), within=seconds, every=0.5)
    return microservice()["status"]["activeVersion"]


def _at_rest(manifest):
    status = manifest.get("status", {})
    return status.get("observedGeneration") == manifest["metadata"]["generation"] and status["phase"] == "Released"


def keys():
    """A pod that has an issuer's public keys, and one that sends requests."""
    key = ECKey.generate_key("P-256", {"kid": "e2e", "use": "sig", "alg": "ES256"})
    jwks = json.dumps({"keys": [key.as_dict(private=False)]})
    serve = ["python", "-m", "http.server", "8080", "-d", "/keys"]
    mount = {"volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}
    labels = {"app": "keys"}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _named("keys"), "data": {"jwks.json": jwks}},
        _pod("keys", serve, labels, mount, [{"name": "keys", "configMap": {"name": "keys"}}]),
        _pod("load", ["sleep", "3600"], {"app": "load"}, {}, []),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _named("keys"),
            "spec": {"selector": labels, "ports": [{"port": 8080}]},
        },
    ]


def fernet_key():
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _named(name, **labels):
    return {"name": name, "namespace": NAMESPACE, "labels": labels}


def _pod(name, command, labels, more, volumes):
    container = {"name": name, "image": IMAGE, "command": command, **more}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _named(name, **labels),
        "spec": {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1},
    }


class Selectors:
    """Every version the Service was seen to select, with the ready pods the version had at that moment."""

    def __init__(self):
        self.seen = []  # (version or None, ready pods, selector)

    def __enter__(self):
        self._process = _begun("get", "service", NAME, "--watch", '--output=jsonpath={.spec.selector}{"\\n"}')
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self):
        for line in self._process.stdout:
            found = json.loads(line)
            if self.seen and self.seen[-1][2] == found:
                continue
            version = found.get(VERSION)
            self.seen.append((version, len(pods(version, ready=True)) if version else None, found))

    def __exit__(self, *_):
        time.sleep(1)
        self._process.terminate()
        self._thread.join(30)
        self._process.wait(10)
