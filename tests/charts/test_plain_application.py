"""An application that is not on the chassis: its command, its port, its probes, on the chart library of services."""

import subprocess

import pytest
import yaml

from support.charts import Once, helm, of_kind
from support.tools import tool

pytestmark = pytest.mark.charts


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
