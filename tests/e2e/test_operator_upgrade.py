"""The operator is upgraded from an earlier release while a service's release waits in its middle, under load.

The earlier one is the commit PREVIOUS, or else the newest release (a tag v1.2.3), or else EARLIER: no release has been
published before it, and its definitions are of another generation than those of now.
"""

import os
import subprocess

import pytest
import yaml

from slipway_chassis.testing.plugin import eventually
from slipway_operator.kubectl.write_commands import promote
from support.kind import managed
from support.kind.commands import CLUSTER, OPERATOR_NAMESPACE, empty_of_ours, run
from support.kind.managed import (
    MANAGED,
    NAME,
    NAMESPACE,
    RELEASE,
    TAG,
    LoadFromPod,
    Selectors,
    get,
    helm,
    kubectl,
    microservice,
    pods,
    released,
    selector,
    slipway,
    upgrade,
)
from support.repository import ROOT
from support.tools import TOOLS

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1800)]
OPERATOR = "slipway-operator"
EARLIER = "6d95d5ae"
PARTS = ["operator", "services", "charts", "k8s", "requirements.lock", ".dockerignore", "ci/versions.env"]


def previous():
    """A commit that git has, fetched where the clone ends before it."""
    tag = run("git", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", check=False).strip()
    return run("bash", "-ec", '. ci/lib.sh; at_hand "$1"', "-", os.environ.get("PREVIOUS") or tag or EARLIER).strip()


@pytest.fixture(scope="module", name="earlier")
def _earlier(run_folder):
    """Folder of its sources, whose operator's image the cluster has as slipway/operator:earlier."""
    folder = run_folder / "earlier"
    folder.mkdir()
    packed = run("git", "archive", previous(), *PARTS, text=False)
    subprocess.run(["tar", "-x"], input=packed, cwd=folder, check=True)
    pins = dict(line.split("=", 1) for line in (folder / "ci/versions.env").read_text().splitlines() if "=" in line)
    base, builder = pins["PYTHON_IMAGE"], []
    if run("ci/kind.sh", "mode").strip() == "airgap":
        base = run("bash", "-ec", 'eval "$(ci/airgap/build.sh --names)"; echo "$PYTHON_IMAGE"').strip()
        builder = ["env", "DOCKER_BUILDKIT=0"]  # Debian's engine has the classic builder only
    run(*builder, "docker", "build", "-q", "-f", folder / "operator/Dockerfile", "-t", "slipway/operator:earlier",
        "--build-arg", f"PYTHON_IMAGE={base}", "--build-arg", f"UV_VERSION={pins['UV_VERSION']}", folder,
        timeout=900)  # fmt: skip
    run(f"{TOOLS}/kind", "load", "docker-image", "--name", CLUSTER, "slipway/operator:earlier")
    for chart in ("operator", "service", "storefront"):
        run(f"{TOOLS}/helm", "dependency", "update", folder / "charts" / chart)
    return folder


@pytest.fixture(name="cluster")
def _cluster(earlier):
    """With the earlier operator alone, as its chart installs it, and a namespace for the service."""
    empty_of_ours()
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")
    kubectl("create", "namespace", NAMESPACE)
    managed.apply(*managed.keys())
    kubectl("create", "secret", "generic", "storefront-session", f"--from-literal=secret={managed.fernet_key()}")
    operator(earlier, "earlier")
    kubectl("wait", "--for=condition=Ready", "pod/keys", "pod/load", "--timeout=120s")
    yield
    helm("uninstall", RELEASE, "--ignore-not-found", "--wait", "--timeout", "5m")
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")
    empty_of_ours()


def operator(folder, tag):
    helm("upgrade", "--install", OPERATOR, folder / "charts" / "operator", "--create-namespace",
         "--set", f"image.tag={tag}", "--wait", "--timeout", "5m", namespace=OPERATOR_NAMESPACE)  # fmt: skip


def test_the_next_operator_goes_on_with_a_release_that_the_former_one_began(cluster, earlier):
    chart = earlier / "charts" / "storefront"  # of the former release as well: services are not upgraded with it
    upgrade(*MANAGED, install=True, chart=chart)
    first = released()
    with LoadFromPod() as load, Selectors() as selectors:
        upgrade(*MANAGED, "--set", "logLevel=DEBUG", "--set", "release.autoPromote=false", chart=chart)
        eventually(lambda: microservice()["status"].get("step") == "Promoting", within=300)
        [waiting] = versions() - {first}
        before = pods()

        operator(ROOT, TAG)

        eventually(lambda: acts(TAG), within=60, every=0.5)
        defined_as_now()
        assert (versions(), selector()[managed.VERSION], pods()) == ({first, waiting}, first, before)
        said, error = slipway(promote, NAME)
        assert error is None, (said, error)
        assert released() == waiting
        upgrade(*MANAGED, "--set", "logLevel=DEBUG", chart=ROOT / "charts" / "storefront")
        last = released()

    print(f"\n  {sum(load.answers.values())} requests, versions {[each for each, _, _ in selectors.seen]}")
    assert load.failures == []
    assert load.answers.keys() == {"200"}
    assert [each for each, _, _ in selectors.seen] == list(dict.fromkeys([first, waiting, last]))
    assert all(ready for _, ready, _ in selectors.seen)


def versions():
    listed = get("serviceversions", "-l", f"{managed.SERVICE_LABEL}={NAME}")["items"]
    return {each["spec"]["hash"] for each in listed}


def acts(tag):
    """Whether the replica that holds the lease has that image."""
    lease = get("lease", OPERATOR, namespace=OPERATOR_NAMESPACE)
    listed = get("pods", namespace=OPERATOR_NAMESPACE)["items"]
    images = {each["metadata"]["name"]: each["spec"]["containers"][0]["image"] for each in listed}
    return images.get(lease["spec"]["holderIdentity"]) == f"slipway/operator:{tag}"


def defined_as_now():
    for path in sorted((ROOT / "k8s" / "crds").glob("*.yaml")):
        wanted = yaml.safe_load(path.read_text())
        there = get("crd", wanted["metadata"]["name"])
        assert [each["schema"] for each in there["spec"]["versions"]] == [
            each["schema"] for each in wanted["spec"]["versions"]
        ], path
