"""The cluster tests: `make e2e` has created the cluster and installed the release before they run."""

import json

import pytest

from support.kind.api import Api
from support.kind.auditor import auditing
from support.kind.commands import NAMESPACE, RELEASE, helm, install_operator, kubectl, run
from support.repository import ROOT


@pytest.fixture(scope="session", name="cluster")
def _cluster():
    if "Ready" not in kubectl("get", "nodes", check=False):
        pytest.fail("there is no cluster; run `make e2e`, which creates it and installs the release")


# What a module needs of the cluster is looked at anew: another one may have emptied it.
@pytest.fixture(scope="module", name="installed")
def _installed(cluster):
    """By `make e2e`; the soak begins with an empty cluster."""
    if not helm("list", "-q", "--filter", f"^{RELEASE}$").strip():
        run(f"{ROOT}/ci/deploy.sh", "--fresh", timeout=900)


@pytest.fixture(scope="session", name="api")
def _api(tmp_path_factory):
    return Api(json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json")), tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module", name="operator")
def _operator(cluster):
    return install_operator()


@pytest.fixture(scope="module", name="auditor")
def _auditor(managed):
    with auditing() as name:
        yield name


@pytest.fixture(scope="module", name="managed")
def _managed(operator):
    """The shop anew, with users and orders managed by the operator; gives the names of their Microservices."""
    run(f"{ROOT}/ci/deploy.sh", "--fresh", "--values", ROOT / "tests" / "e2e" / "managed-values.yaml", timeout=900)
    names = [f"{RELEASE}-users", f"{RELEASE}-orders"]
    for name in names:
        kubectl("wait", "--for=condition=Ready", f"microservice/{name}", "--timeout=300s", timeout=320)
    yield names
    helm("uninstall", RELEASE, "--ignore-not-found", "--wait", "--timeout", "5m")
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")
