"""The cluster tests: `make e2e` has created the cluster and installed the release before they run."""

import json
import os
import subprocess

import pytest

from conftest import ROOT

GATEWAY = "http://127.0.0.1:30080"
RELEASE, NAMESPACE = "slipway", "shop"
TOOLS = subprocess.run(
    [ROOT / "ci" / "tools" / "install.sh", "--path"], capture_output=True, text=True, check=True
).stdout.strip()
CONTEXT = f"kind-{os.environ.get('KIND_CLUSTER', 'slipway')}"


def run(*command, check=True, timeout=300):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=timeout, cwd=ROOT
    )
    assert not check or done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def kubectl(*arguments, **options):
    return run(f"{TOOLS}/kubectl", "--context", CONTEXT, "-n", NAMESPACE, *arguments, **options)


def helm(*arguments, **options):
    return run(f"{TOOLS}/helm", "--kube-context", CONTEXT, "-n", NAMESPACE, *arguments, **options)


def get(*arguments):
    return json.loads(kubectl("get", *arguments, "-o", "json"))


@pytest.fixture(scope="session", name="cluster", autouse=True)
def _cluster():
    if not helm("list", "-q", "--filter", f"^{RELEASE}$").strip():
        pytest.fail("the release is not installed; run `make e2e`, which creates the cluster and installs it")
