"""Story B of docs/adopt.md, as typed: the new service on the kind cluster, released under load, and all of it gone.

What is installed comes from a registry and a package index of this test, as a release puts it there. Where no registry
of images is reached, those of others are what ci/airgap has built, under the names that the page's commands ask for.
"""

import ipaddress
import json
import os
import re
import shutil
import time
from functools import partial
from pathlib import Path

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind.commands import (
    CLUSTER,
    OPERATOR_NAMESPACE,
    apply,
    empty_of_ours,
    get,
    in_node,
    kubectl,
    left,
    run,
    wait_until_nothing_is_left,
)
from support.kind.load_from_pod import LoadFromPod, load_pod
from support.newcomer import PACKAGES, Newcomer, blocks_of, index_of_this_machine
from support.pipeline.package_index import PackageIndex
from support.pipeline.registry import Registry
from support.repository import ROOT
from support.tools import TOOLS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]
CRDS = {f"customresourcedefinition.apiextensions.k8s.io/{each}.slipway.dev"
        for each in ("microservices", "releaseplans", "serviceversions")}  # fmt: skip
CRDS |= {"apiservice.apiregistration.k8s.io/v1alpha1.slipway.dev"}  # which the cluster makes of definitions
OURS = {"namespace/shop", f"namespace/{OPERATOR_NAMESPACE}"}
# What clusters make by themselves while tests run.
PASSING = ("node/", "componentstatus/", "certificatesigningrequest.", "flowschema.", "prioritylevelconfiguration.")


@pytest.fixture(name="cluster")
def _cluster():
    """As empty as a new one: what other tests have left of ours is taken away."""
    if "Ready" not in kubectl("get", "nodes", check=False):
        pytest.fail("there is no cluster; run `make e2e T=tests/outsider`, which creates it")
    empty_of_ours()
    yield
    empty_of_ours()


@pytest.fixture(name="images_of_others")
def _images_of_others():
    """The variables for builds. Where they can be pulled, nothing has to be there before."""
    if run("ci/kind.sh", "mode").strip() != "airgap":
        yield {}
        return
    run("ci/images.sh", "load-databases", timeout=600)
    here = dict(re.findall(r"^(\w+)=(.*)$", run("ci/airgap/build.sh", "--names"), re.MULTILINE))
    values = (ROOT / "charts" / "dev-databases" / "values.yaml").read_text()
    names = re.findall(r"^  image: (\S+)", values, re.MULTILINE)
    for part, name in zip(("POSTGRESQL_IMAGE", "KAFKA_IMAGE"), names, strict=True):
        asked = name if "/" in name else f"library/{name}"
        in_node("ctr", "-n", "k8s.io", "images", "tag", "--force", f"docker.io/{here[part]}", f"docker.io/{asked}")
    [base] = re.findall(r"^ARG PYTHON_IMAGE=(\S+)", (ROOT / "services" / "Dockerfile").read_text(), re.MULTILINE)
    run("docker", "tag", here["PYTHON_IMAGE"], base)
    yield {"DOCKER_BUILDKIT": "0"}  # Debian's engine has the classic builder only
    run("docker", "rmi", base)


@pytest.fixture(name="registry")
def _registry(version, run_folder, monkeypatch):
    """Has charts and the operator's image; gives its address."""
    folder = run_folder / "public"
    folder.mkdir()
    with Registry(folder, public=True) as address:
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authorities.pem"))
        monkeypatch.setenv("REGISTRY_USER", "")
        run("make", "-s", "release-charts", f"VERSION=v{version}", f"REGISTRY={address}", timeout=600)
        image = f"{address}/slipway/operator:{version}"
        run("docker", "tag", f"slipway/operator:{run('ci/images.sh', 'tag').strip()}", image)
        run("docker", "push", "-q", image)
        run("docker", "rmi", image)
        # The node is another machine, and localhost there is not this one: what it would pull is brought to it.
        run("docker", "pull", "-q", image)
        run(f"{TOOLS}/kind", "load", "docker-image", "--name", CLUSTER, image)
        run("docker", "rmi", image)
        yield address


@pytest.fixture(name="index")
def _index(packages):
    """Where builds of images reach it as well: at the address that this machine has for containers."""
    [bridge] = json.loads(run("docker", "network", "inspect", "bridge"))
    addresses = bridge["IPAM"]["Config"][0]
    # An engine that has just begun names no gateway; it is the first address.
    index = PackageIndex(addresses.get("Gateway") or str(ipaddress.ip_network(addresses["Subnet"])[1]))
    index.files |= {path.name: path.read_bytes() for path in PACKAGES.glob("*.whl")}
    with index as address:
        yield f"{address}/simple"


@pytest.fixture(name="newcomer")
def _newcomer(run_folder, cluster, registry, index, images_of_others):
    """With the tools that the page asks for, and a cluster called as kind calls it for them."""
    told = index_of_this_machine()
    indexes = " ".join(filter(None, [index, told.get("UV_INDEX")]))
    others = ",".join(each for each in told["UV_FIND_LINKS"].split(",") if each != str(PACKAGES))
    trusted = os.environ["SSL_CERT_FILE"]
    newcomer = Newcomer(
        run_folder / "on-a-cluster",
        programs=[PACKAGES / "kubectl-slipway", *(Path(TOOLS) / name for name in ("helm", "kind", "kubectl"))],
        environment=images_of_others
        | {"UV_INDEX": indexes, "UV_FIND_LINKS": others, "SSL_CERT_FILE": trusted, "KIND_CLUSTER_NAME": CLUSTER},
    )
    (newcomer.home / ".kube").mkdir()
    run(f"{TOOLS}/kind", "export", "kubeconfig", "--name", CLUSTER, "--kubeconfig", newcomer.home / ".kube" / "config")
    yield newcomer
    run("docker", "rmi", "-f", "parcels:1", "parcels:2", check=False)
    shutil.rmtree(newcomer.home.parent)


def there():
    """What the cluster has that lies in no namespace."""
    kinds = kubectl("api-resources", "--namespaced=false", "--verbs=list", "-o", "name").split()
    found = kubectl("get", ",".join(kinds), "-o", "name", check=False).split()
    return {each for each in found if not each.startswith(PASSING)}


def test_a_service_comes_onto_a_cluster_is_released_and_removed(newcomer, registry, version):
    install, first, second, remove = (
        [line.replace("REGISTRY", registry).replace("0.3.0", version) for line in block]
        for block in blocks_of("adopt.md", "B: the same on a cluster")
    )
    before = there()
    prepared(newcomer)
    began, typed = time.monotonic(), newcomer.typed

    create, *charts = install
    assert create == "kind create cluster"  # it is there, and its kubeconfig as well
    for line in charts:
        newcomer.types(line)

    *steps, watch, ask = first
    for line in steps:
        newcomer.types(line, within=600)
    with newcomer.leaves_running(watch, says="Released") as said:
        eventually(lambda: "Released" in said(), within=300, every=0.5)
    assert "Succeeded" in newcomer.types(ask)

    apply(load_pod("parcels:1"))
    kubectl("wait", "--for=condition=Ready", "pod/load", "--timeout=60s")
    former = active()
    model = newcomer.folder / "src" / "parcels" / "domain" / "model.py"
    model.write_text(model.read_text() + "# changed\n")
    with LoadFromPod("shop", "http://parcels", "/v1/parcels?limit=1", rate=40, clients=4) as load:
        for line in second[:-1]:
            newcomer.types(line, within=700)
        assert active() != former
    assert load.failures == []
    assert list(load.answers) == ["200"]
    assert re.search(r"2 \(\w+\) +active", newcomer.types(second[-1]))
    kubectl("delete", "pod", "load", "--force", "--grace-period=0")

    for line in remove:
        newcomer.types(line)
    wait_until_nothing_is_left(within=180)
    of_operator = partial(left, ",leases", namespace=OPERATOR_NAMESPACE)
    eventually(lambda: of_operator() == ["Lease/slipway-operator"], within=120, every=1)
    minutes = (time.monotonic() - began) / 60
    print(*newcomer.told, sep="\n")
    sent = sum(load.answers.values())
    print(f"story B: {newcomer.typed - typed} commands, {minutes:.1f} minutes; {sent} requests, 0 failed")
    try:
        eventually(lambda: there() - before == CRDS | OURS, within=120, every=2)
    finally:
        print("stays, and lies in no namespace:", *sorted(there() - before))


def prepared(newcomer):
    """What story A has made: the service, and its lock."""
    for line in ("uv tool install 'slipway-chassis[new]'", "mkdir parcels && cd parcels && git init",
                 "slipway new service parcels", "uv lock"):  # fmt: skip
        newcomer.types(line)


def active():
    return get("microservice", "parcels")["status"]["activeVersion"]
