"""The cluster tests: `make e2e` has created the cluster and installed the release before they run."""

import json
import os
import subprocess
from contextlib import contextmanager

import pytest

from conftest import ROOT
from e2e.api import Api

GATEWAY = "http://127.0.0.1:30080"
RELEASE, NAMESPACE = "slipway", "shop"
TOOLS = subprocess.run(
    [ROOT / "ci" / "tools" / "install.sh", "--path"], capture_output=True, text=True, check=True
).stdout.strip()
OPERATOR_NAMESPACE = "slipway-system"
CLUSTER = os.environ.get("KIND_CLUSTER", "slipway")
CONTEXT, NODE = f"kind-{CLUSTER}", f"{CLUSTER}-control-plane"


def run(*command, check=True, timeout=300, stdin=None, text=True):
    done = subprocess.run(
        [str(part) for part in command],
        input=stdin, capture_output=True, text=text, check=False, timeout=timeout, cwd=ROOT,
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def kubectl(*arguments, namespace=NAMESPACE, **options):
    return run(f"{TOOLS}/kubectl", "--context", CONTEXT, "-n", namespace, *arguments, **options)


def helm(*arguments, namespace=NAMESPACE, **options):
    return run(f"{TOOLS}/helm", "--kube-context", CONTEXT, "-n", namespace, *arguments, **options)


def get(*arguments, **options):
    return json.loads(kubectl("get", *arguments, "-o", "json", **options))


def in_node(*command):
    """What a command prints on the cluster's only node, which is a container."""
    return run("docker", "exec", NODE, *command)


def left(more="", **options):
    """What is in the namespace although nothing should be."""
    items = get(f"deploy,sts,rs,po,svc,cm,secret,sa,pvc,job,hpa,pdb,netpol{more}", **options)["items"]
    return [
        f"{each['kind']}/{each['metadata']['name']}"
        for each in items
        if each["metadata"]["name"] not in ("kube-root-ca.crt", "default")
    ]


@pytest.fixture(scope="session", name="cluster")
def _cluster():
    if "Ready" not in kubectl("get", "nodes", check=False):
        pytest.fail("there is no cluster; run `make e2e`, which creates it and installs the release")


@pytest.fixture(scope="session", name="installed")
def _installed(cluster):
    if not helm("list", "-q", "--filter", f"^{RELEASE}$").strip():
        pytest.fail("the release is not installed; run `make e2e`, which creates the cluster and installs it")


@pytest.fixture(scope="session", name="api")
def _api(tmp_path_factory):
    return Api(json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json")), tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="session", name="operator")
def _operator(cluster):
    return install_operator()


def install_operator():
    """Two replicas, under the restricted Pod Security Standard. Returns the tag of its image."""
    tag = run(f"{ROOT}/ci/images.sh", "tag").strip()
    kubectl("apply", "--server-side", "--force-conflicts", "-f", ROOT / "k8s" / "crds")
    manifest = json.dumps({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": OPERATOR_NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    })  # fmt: skip
    kubectl("apply", "-f", "-", stdin=manifest)
    helm(
        "upgrade", "--install", "slipway-operator", ROOT / "charts" / "operator", "--set", f"image.tag={tag}",
        "--set", "crds.install=false", "--wait", "--timeout", "5m", namespace=OPERATOR_NAMESPACE,
    )  # fmt: skip
    return tag


@pytest.fixture(scope="session", name="auditor")
def _auditor(managed):
    with auditing() as name:
        yield name


@contextmanager
def auditing():
    """A pod that may ask the databases and Kafka; it stands still until it is asked to. Gives its name."""
    pods = get("pods", "-l", "app.kubernetes.io/name=orders,app.kubernetes.io/component=consumer")["items"]
    [image] = {each["image"] for pod in pods for each in pod["spec"]["containers"]}
    name = "auditor"
    kubectl("delete", "pod", name, "--ignore-not-found", "--grace-period=0", "--force")
    kubectl("apply", "-f", "-", stdin=json.dumps(auditor_pod(name, image)))
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    try:
        yield name
    finally:
        kubectl("delete", "pod", name, "--grace-period=0", "--force", "--ignore-not-found")


def auditor_pod(name, image):
    database = {"name": f"{RELEASE}-postgresql"}
    # What it may reach is what orders' consumer may.
    labels = {
        "app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": RELEASE,
        "app.kubernetes.io/component": "consumer", "app.kubernetes.io/part-of": "slipway",
    }  # fmt: skip
    return sleeping_pod(name, labels, image, env=[
        {"name": f"{service.upper()}_URL", "valueFrom": {"secretKeyRef": database | {"key": f"{service}-url"}}}
        for service in ("orders", "users")
    ] + [{"name": "KAFKA_BOOTSTRAP_SERVERS", "value": f"{RELEASE}-kafka:9092"}])  # fmt: skip


def sleeping_pod(name, labels, image, env=()):
    """As the restricted Pod Security Standard wants it; it does nothing by itself."""
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False, "enableServiceLinks": False, "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": name, "image": image, "command": ["sleep", "infinity"], "env": list(env),
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "resources": {"limits": {"memory": "512Mi"}},
            }],
        },
    }  # fmt: skip


@pytest.fixture(scope="session", name="managed")
def _managed(operator):
    """The shop anew, with users and orders managed by the operator; gives the names of their Microservices."""
    run(f"{ROOT}/ci/deploy.sh", "--fresh", "--values", ROOT / "tests" / "e2e" / "managed-values.yaml", timeout=900)
    names = [f"{RELEASE}-users", f"{RELEASE}-orders"]
    for name in names:
        kubectl("wait", "--for=condition=Ready", f"microservice/{name}", "--timeout=300s", timeout=320)
    yield names
    helm("uninstall", RELEASE, "--ignore-not-found", "--wait", "--timeout", "5m")
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")
