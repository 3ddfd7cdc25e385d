"""An application that is not on the chassis: its command, its port, its probes, on the chart library of services."""

import json
import subprocess

import pytest
import yaml

from support.charts import CHARTS, Once, helm, of_kind
from support.cluster.api_server import ApiServer
from support.cluster.control_plane import KUBECONFIG, TOKEN
from support.tools import TOOLS, tool

pytestmark = pytest.mark.charts
NEEDS = [name for name in ("etcd", "kube-apiserver") if tool(name) is None]
# As docs/charts.md has it.
VALUES = """
image: {repository: registry.example.org/hello}
http:
  port: 5000
  command: [gunicorn]
  args: ["--bind=0.0.0.0:5000", "app:app"]
  lifecycle: {preStop: {sleep: {seconds: 5}}}
adminPort: 0
probes:
  startup: {enabled: false}
  liveness: {enabled: false}
  readiness: {httpGet: {path: /health, port: http}}
podSecurityContext: {runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000}
podAnnotations: {slipway.dev/closes-connections: "false"}
consumer: {enabled: false}
relay: {enabled: false}
migration: {enabled: false}
database: {enabled: false}
tests: []
"""


@pytest.fixture(scope="module", name="chart")
def _chart(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hello")
    library = {"name": "service", "version": "0.2.0", "repository": f"file://{CHARTS}/service"}
    about = {"apiVersion": "v2", "name": "hello", "version": "0.1.0", "appVersion": "1.0", "dependencies": [library]}
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text(yaml.safe_dump(about))
    (folder / "values.yaml").write_text(VALUES)
    (folder / "templates" / "all.yaml").write_text('{{ include "service.all" . }}\n')
    fetched = helm("dependency", "update", folder)
    assert fetched.returncode == 0, fetched.stderr
    return folder


def rendered(chart, *options):
    done = helm("template", "r", chart, *options)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.load_all(done.stdout, Loader=Once) if item]


def container(objects):
    [deployment] = of_kind(objects, "Deployment")
    [found] = deployment["spec"]["template"]["spec"]["containers"]
    return found


def test_nothing_of_the_chassis_is_asked_of_it(chart):
    objects = rendered(chart)
    runs = container(objects)

    assert (runs["command"], runs["args"]) == (["gunicorn"], ["--bind=0.0.0.0:5000", "app:app"])
    assert runs["ports"] == [{"name": "http", "containerPort": 5000}]
    assert [key for key in runs if key.endswith("Probe")] == ["readinessProbe"]
    assert runs["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    assert runs["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    [deployment] = of_kind(objects, "Deployment")
    assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 1000
    assert "admin" not in str(of_kind(objects, "NetworkPolicy", "Deployment"))
    assert "closes-connections': 'true'" not in str(objects)
    assert {each["kind"] for each in objects} == {
        "ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount",
    }  # fmt: skip


def test_another_kind_of_probe_takes_the_place_of_the_default(chart):
    runs = container(rendered(chart, "--set", "probes.readiness.tcpSocket.port=http"))
    assert runs["readinessProbe"].items() >= {"tcpSocket": {"port": "http"}, "periodSeconds": 2}.items()
    assert "httpGet" not in runs["readinessProbe"]


@pytest.mark.skipif(tool("helm4") is None, reason="not built: ci/tools/install.sh helm4")
def test_helm_4_makes_the_same_of_it(chart):
    """It honours null in values of a user, and no longer in those of a chart."""
    done = subprocess.run(
        [tool("helm4"), "template", "r", chart], capture_output=True, text=True, check=True, timeout=60
    )
    assert [item for item in yaml.safe_load_all(done.stdout) if item] == rendered(chart)


def test_released_by_the_operator_it_has_the_same_pods(chart):
    [deployment] = of_kind(rendered(chart), "Deployment")
    [service] = of_kind(rendered(chart, "--set", "release.managed=true"), "Microservice")

    assert service["spec"]["components"]["http"]["template"] == deployment["spec"]["template"]
    assert service["spec"]["ports"] == [{"name": "http", "port": 80}]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("probes.readiness.httpGet.port=admin", "adminPort is not set, and probes.readiness asks it"),
        ("adminPort=5000", "http.port is 5000, and so is adminPort"),
    ],
)
def test_what_would_not_work_is_told_with_the_cure(chart, options, sentence):
    done = helm("template", "r", chart, "--set", options)

    assert done.returncode != 0
    assert sentence in done.stderr


def test_its_own_port_of_the_service(chart):
    [service] = of_kind(rendered(chart, "--set", "http.servicePort=8080"), "Service")
    assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(8080, "http")]

    done = helm("template", "r", chart, "--set", "http.servicePort=8080,tests[0].path=/health,tests[0].status=200")
    assert "http://r-hello:8080" in done.stdout


@pytest.fixture(scope="module", name="on_the_cluster")
def _on_the_cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    with ApiServer(folder) as server:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(server=f"https://127.0.0.1:{server.port}", token=TOKEN))
        yield ("--kubeconfig", kubeconfig)


@pytest.mark.integration
@pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}")
class TestInstalled:
    """By Helm on a real API server; no node runs the pods."""

    def test_it_is_taken_and_upgraded(self, chart, on_the_cluster):
        first = helm("install", "hello", chart, *on_the_cluster)
        assert first.returncode == 0, first.stderr
        second = helm(
            "upgrade", "hello", chart, *on_the_cluster, "--reset-then-reuse-values", "--set", "image.tag=1.1",
            "--set", "http.resources.limits=null,http.extraEnv.WORKERS=4,settings.LOG_LEVEL=DEBUG",
        )  # fmt: skip
        assert second.returncode == 0, second.stderr

        command = [f"{TOOLS}/kubectl", *on_the_cluster, "get", "deployment", "hello-http", "-o", "json"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        runs = container([json.loads(shown.stdout)])
        assert runs["image"] == "registry.example.org/hello:1.1"
        assert runs["env"] == [{"name": "WORKERS", "value": "4"}]
        assert "limits" not in runs["resources"]
        assert runs["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}

    def test_a_volume_of_another_size_is_told_before_anything_is_changed(self, on_the_cluster):
        chart = CHARTS / "dev-databases"
        assert helm("install", "dev", chart, *on_the_cluster).returncode == 0

        done = helm("upgrade", "dev", chart, *on_the_cluster, "--set", "postgresql.storage=5Gi")

        assert done.returncode != 0
        assert "postgresql.storage is 5Gi, and the volume of dev-postgresql was made with 1Gi" in done.stderr
        assert "delete statefulset dev-postgresql" in done.stderr
        assert helm("upgrade", "dev", chart, *on_the_cluster, "--set", "databases={parcels}").returncode == 0
