"""A HorizontalPodAutoscaler follows the load, up and down, and no request fails in either direction."""

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind.commands import GATEWAY, NAMESPACE, RELEASE, get, helm, kubectl, run
from support.load import Load
from support.repository import ROOT
from support.shop import Customer

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(900)]
SERVICE = "storefront"
HOME = ("GET", "/v1/home", None)
# The steady load takes some 30m of processor time, the heavy one more than 300m.
SCALED = {
    "http.resources.requests.cpu": "100m",
    "autoscaling.enabled": "true",
    "autoscaling.minReplicas": "1",
    "autoscaling.maxReplicas": "3",
    "autoscaling.targetCPUUtilizationPercentage": "60",
    "autoscaling.behavior.scaleDown.stabilizationWindowSeconds": "15",
}
STILL = SCALED | {"autoscaling.behavior.scaleDown.selectPolicy": "Disabled"}


def options(values):
    return [part for key, value in values.items() for part in ("--set", f"{SERVICE}.{key}={value}")]


@pytest.fixture(name="scaled")
def _scaled(cluster):
    run(ROOT / "ci" / "deploy.sh", "--fresh", timeout=900)
    # Switched on, it takes over the pods that are there; one that may not go down tells what the chart did.
    run(ROOT / "ci" / "deploy.sh", *options(STILL), timeout=900)
    assert get("deployment", f"{RELEASE}-{SERVICE}-http")["spec"]["replicas"] == 2
    run(ROOT / "ci" / "deploy.sh", *options(SCALED), timeout=900)
    yield
    helm("uninstall", RELEASE, "--wait", "--timeout", "5m")
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")


def pods_ready():
    return get("deployment", f"{RELEASE}-{SERVICE}-http")["status"].get("readyReplicas", 0)


def test_pods_come_and_go_with_the_load_and_no_request_fails(scaled):
    customer = Customer(GATEWAY)
    with Load(customer, [HOME], rate=5, clients=4, seconds=800) as steady:
        eventually(lambda: pods_ready() == 1, within=240, every=1)
        with Load(customer, [HOME], rate=60, clients=12, seconds=400) as heavy:
            eventually(lambda: pods_ready() == 3, within=300, every=1)
        before = steady.sent
        eventually(lambda: pods_ready() == 1, within=300, every=1)
        assert steady.sent > before

    print(f"\n  1 → 3 → 1 pods; {steady.sent + heavy.sent} requests, {len(steady.failures + heavy.failures)} failed")
    assert steady.failures + heavy.failures == []
