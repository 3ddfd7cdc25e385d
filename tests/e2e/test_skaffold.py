"""`ci/skaffold.sh run`, `verify` and `delete` on kind: plain, and with services that the operator releases."""

import json
import os
import subprocess
import urllib.request

import pytest

from support.kind.commands import GATEWAY, OPERATOR_NAMESPACE, get, helm, kubectl, wait_until_nothing_is_left
from support.repository import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1500), pytest.mark.usefixtures("cluster")]


def skaffold(*arguments):
    done = subprocess.run(
        ["ci/skaffold.sh", *arguments], capture_output=True, text=True, check=False, cwd=ROOT, timeout=900,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(name="profile", params=["", "blue-green"], ids=["plain", "blue-green"])
def _profile(request):
    """Installed into an empty namespace; no definitions and no other operator are there, as on a fresh cluster."""
    profile = [f"--profile={request.param}"] if request.param else []
    kubectl("delete", "namespace", "shop", "--ignore-not-found", "--timeout=180s", timeout=200)
    helm("uninstall", "slipway-operator", "--ignore-not-found", "--wait", namespace=OPERATOR_NAMESPACE)
    kubectl("delete", "-f", ROOT / "k8s" / "crds", "--ignore-not-found", "--timeout=60s")
    skaffold("run", *profile)
    yield profile
    skaffold("delete", *profile)
    wait_until_nothing_is_left(within=180)
    kubectl("delete", "namespace", "shop", "--timeout=180s", timeout=200)


def test_it_runs_and_is_verified_from_inside(profile):
    managed = get("microservices")["items"] if profile else []
    assert {each["metadata"]["name"] for each in managed} == (
        {f"slipway-{name}" for name in ("users", "orders", "inventory", "storefront")} if profile else set()
    )
    for each in managed:
        name = f"microservice/{each['metadata']['name']}"
        kubectl("wait", "--for=condition=Ready", name, "--timeout=300s", timeout=320)

    said = skaffold("verify", *profile)

    assert said.count("ok ") >= 3, said
    with urllib.request.urlopen(f"{GATEWAY}/v1/home", timeout=20) as answer:
        assert "items" in json.load(answer)
