"""Charts installed and upgraded by Helm on a real API server; no node runs their pods."""

import json
import subprocess

import pytest

from support.charts import CHARTS, helm
from support.cluster.api_server import ApiServer
from support.cluster.control_plane import KUBECONFIG, TOKEN
from support.repository import ROOT
from support.tools import TOOLS, tool

NEEDS = [name for name in ("etcd", "kube-apiserver", "kubectl") if tool(name) is None]
pytestmark = [
    pytest.mark.charts,
    pytest.mark.integration,
    pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
]


@pytest.fixture(scope="module", name="on_the_cluster")
def _on_the_cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    with ApiServer(folder) as server:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(server=f"https://127.0.0.1:{server.port}", token=TOKEN))
        yield ("--kubeconfig", kubeconfig)


def kubectl(cluster, *arguments):
    command = [f"{TOOLS}/kubectl", *cluster, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_an_application_without_the_chassis(chart, on_the_cluster):
    first = helm("install", "hello", chart, *on_the_cluster)
    assert first.returncode == 0, first.stderr
    second = helm(
        "upgrade", "hello", chart, *on_the_cluster, "--reset-then-reuse-values", "--set", "image.tag=1.1",
        "--set", "http.resources.limits=null,http.extraEnv.WORKERS=4,settings.LOG_LEVEL=DEBUG",
    )  # fmt: skip
    assert second.returncode == 0, second.stderr

    deployment = json.loads(kubectl(on_the_cluster, "get", "deployment", "hello-http", "-o", "json"))
    [runs] = deployment["spec"]["template"]["spec"]["containers"]
    assert runs["image"] == "registry.example.org/hello:1.1"
    assert runs["env"] == [{"name": "WORKERS", "value": "4"}]
    assert "limits" not in runs["resources"]
    assert runs["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


def test_a_volume_of_another_size_is_told_before_anything_is_changed(on_the_cluster):
    chart = CHARTS / "dev-databases"
    assert helm("install", "dev", chart, *on_the_cluster).returncode == 0

    done = helm("upgrade", "dev", chart, *on_the_cluster, "--set", "postgresql.storage=5Gi")

    assert done.returncode != 0
    assert "postgresql.storage is 5Gi, and the volume of dev-postgresql was made with 1Gi" in done.stderr
    assert "delete statefulset dev-postgresql" in done.stderr
    assert helm("upgrade", "dev", chart, *on_the_cluster, "--set", "databases={parcels}").returncode == 0


def test_definitions_of_others_are_taken_over_as_the_docs_say(on_the_cluster):
    kubectl(on_the_cluster, "apply", "--server-side", "-f", ROOT / "k8s" / "crds")
    install = ("install", "operator", CHARTS / "operator", *on_the_cluster)

    refused = helm(*install)
    assert "exists and cannot be imported into the current release" in refused.stderr

    done = helm(*install, "--take-ownership")
    assert done.returncode == 0, done.stderr
    assert "--take-ownership" in (ROOT / "docs" / "managed-releases.md").read_text()
