"""Commands for the kind cluster and for the shop that `make e2e` has installed there."""

import json
import os
import subprocess

import pytest
import yaml
from click.testing import CliRunner

from slipway_chassis.testing.plugin import eventually
from support.repository import ROOT
from support.tools import TOOLS

GATEWAY = "http://127.0.0.1:30080"
RELEASE, NAMESPACE = "slipway", "shop"
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


def apply(*manifests, namespace=NAMESPACE):
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
    kubectl("apply", "-f", "-", namespace=namespace, stdin=text)


def begun(*arguments, namespace=NAMESPACE):
    """A kubectl that goes on, its output to be read."""
    return subprocess.Popen(
        [f"{TOOLS}/kubectl", "--context", CONTEXT, "-n", namespace, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def helm(*arguments, namespace=NAMESPACE, four=False, **options):
    tool = f"{TOOLS}/helm4" if four else f"{TOOLS}/helm"
    return run(tool, "--kube-context", CONTEXT, "-n", namespace, *arguments, **options)


def get(*arguments, **options):
    return json.loads(kubectl("get", *arguments, "-o", "json", **options))


def slipway(command, *arguments, namespace=NAMESPACE):
    """Output of a command of kubectl slipway; and whether it was refused."""
    os.environ["PATH"] = f"{TOOLS}:{os.environ['PATH']}"
    done = CliRunner().invoke(command, [*arguments, "--context", CONTEXT, "-n", namespace])
    return done.output, done.exception


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


def wait_until_nothing_is_left(*, within=180):
    """Fails with the names of what is still there."""
    there = []

    def gone():
        there[:] = left()
        return not there

    try:
        eventually(gone, within=within, every=1)
    except AssertionError:
        pytest.fail(f"still there after {within} s: {there}")


def database_images():
    """Of PostgreSQL and Kafka, as ci/deploy.sh takes them: built here where the cluster has no image registry."""
    if run(ROOT / "ci" / "kind.sh", "mode").strip() == "airgap":
        names = dict(line.split("=") for line in run(ROOT / "ci" / "airgap" / "build.sh", "--names").split())
        return {name: names[f"{name.upper()}_IMAGE"] for name in ("postgresql", "kafka")}
    values = yaml.safe_load((ROOT / "charts" / "dev-databases" / "values.yaml").read_text())
    return {name: values[name]["image"] for name in ("postgresql", "kafka")}


def empty_of_ours():
    """Whatever was left by others: the shop, operators and definitions are gone, as from a new cluster."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s", timeout=200)
    kubectl("delete", "microservices", "--all", "--all-namespaces", "--timeout=60s", check=False)
    for release in ("slipway", "slipway-operator"):
        helm("uninstall", release, "--ignore-not-found", "--wait", namespace=OPERATOR_NAMESPACE)
    kubectl("delete", "-f", ROOT / "k8s" / "crds", "--ignore-not-found", "--timeout=60s")
    kubectl("delete", "namespace", OPERATOR_NAMESPACE, "--ignore-not-found", "--timeout=180s", timeout=200)


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
