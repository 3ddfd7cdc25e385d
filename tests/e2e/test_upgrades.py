"""An earlier version of the platform, charts and images, is taken to this one and back by Helm, under load.

The earlier version is the commit PREVIOUS, or else the newest release (a tag v1.2.3), or else the commit with which
contracts are compared.
"""

import os
import subprocess

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind.auditor import auditing
from support.kind.commands import NAMESPACE, RELEASE, get, helm, kubectl, run
from support.kind.traffic import assert_no_event_was_lost_doubled_or_misordered, traffic
from support.repository import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(3000)]
OURS = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component in (http,grpc,consumer,relay)"


def previous():
    if os.environ.get("PREVIOUS"):
        return os.environ["PREVIOUS"]
    tag = run("git", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", check=False).strip()
    return tag or run("bash", "-c", ". ci/lib.sh; began").strip()


@pytest.fixture(name="earlier")
def _earlier(cluster, tmp_path):
    """Installed as its own checkout installs it; gives its name in git."""
    commit = run("git", "rev-parse", "--short", f"{previous()}^{{commit}}").strip()
    run("git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, tmp_path / "earlier")
    run("git", "-C", tmp_path / "earlier", "checkout", "--quiet", commit)
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(["make", "-C", tmp_path / "earlier", "deploy"], check=True, timeout=1800, env=environment)
    yield commit
    helm("uninstall", RELEASE, "--wait", "--timeout", "5m")
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")


def test_an_upgrade_and_the_way_back_fail_no_request_and_lose_no_event(earlier):
    with auditing() as auditor:
        with traffic() as flowing:
            former = images()
            run(ROOT / "ci" / "deploy.sh", timeout=900)
            only_those_wanted_run(flowing)
            assert not images() & former
            upgraded = flowing.sent
            helm("rollback", RELEASE, "1", "--wait", "--timeout", "5m", timeout=400)
            only_those_wanted_run(flowing)
            assert images() == former
        print(f"  from {earlier} to this version and back: {upgraded} and {flowing.sent - upgraded} requests")
        assert_no_event_was_lost_doubled_or_misordered(auditor, flowing)


def only_those_wanted_run(flowing):
    eventually(lambda: images() == wanted(), within=300, every=2)
    flowing.flows()


def images():
    pods = [each for each in get("pods", "-l", OURS)["items"] if each["metadata"].get("ownerReferences")]
    return {container["image"] for pod in pods for container in pod["spec"]["containers"]}


def wanted():
    templates = [each["spec"]["template"] for each in get("deployments", "-l", OURS)["items"]]
    return {container["image"] for each in templates for container in each["spec"]["containers"]}
