"""A Microservice of a Deployment that runs: what its author wrote, with what keeps requests, and nothing else."""

import copy

import pytest
import yaml

from slipway_operator.kubectl.errors import NotPossible
from slipway_operator.kubectl.microservice_file import write_new, written

LABELS = {"app": "hello"}
# As the API server gives it: most of it nobody wrote.
CONTAINER = {
    "name": "web",
    "image": "registry:5000/team/hello:1.0",
    "imagePullPolicy": "IfNotPresent",
    "ports": [{"containerPort": 5000, "protocol": "TCP"}],
    "readinessProbe": {
        "httpGet": {"path": "/health", "port": 5000, "scheme": "HTTP"},
        "failureThreshold": 3, "periodSeconds": 2, "successThreshold": 1, "timeoutSeconds": 1,
    },
    "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}  # fmt: skip
POD = {
    "metadata": {
        "creationTimestamp": None,
        "labels": LABELS,
        "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-29T06:00:00Z"},
    },
    "spec": {
        "containers": [CONTAINER],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "serviceAccount": "hello",
        "serviceAccountName": "hello",
        "terminationGracePeriodSeconds": 30,
    },
}
FILE = """apiVersion: slipway.dev/v1alpha1
kind: Microservice
metadata: {name: hello, namespace: team}
spec:
  version: '1.0'
  replicas: 3
  ports:
  - {name: http, port: 80, targetPort: 5000}
  adopt:
    services: [hello]
    deployments: [web]
  components:
    http:
      template:
        metadata:
          labels: {app: hello}
        spec:
          containers:
          - name: web
            image: registry:5000/team/hello:1.0
            ports:
            - {containerPort: 5000}
            readinessProbe:
              httpGet: {path: /health, port: 5000}
              periodSeconds: 2
            lifecycle:
              preStop:
                sleep: {seconds: 3}
          serviceAccountName: hello
"""


def deployment(**container):
    template = copy.deepcopy(POD)
    merged = template["spec"]["containers"][0] | container
    template["spec"]["containers"] = [{key: value for key, value in merged.items() if value is not None}]
    meta = {"name": "web", "namespace": "team", "labels": {}}
    return {"metadata": meta, "spec": {"replicas": 3, "template": template}}


def service(name="hello", **spec):
    ports = [{"port": 80, "protocol": "TCP", "targetPort": 5000}]
    return {"metadata": {"name": name}, "spec": {"selector": LABELS, "ports": ports, "clusterIP": "10.0.0.7"} | spec}


def test_it_can_be_read_by_a_person():
    found = written(deployment(), [service(), service("other", selector={"app": "other"})], [])

    assert (found.text, found.sentences) == (FILE, ())


def test_what_keeps_requests_is_added_and_told():
    found = written(deployment(lifecycle=None, ports=None, readinessProbe=None), [service()], [])

    [container] = yaml.safe_load(found.text)["spec"]["components"]["http"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"containerPort": 5000}]
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert [sentence.split(":")[0] for sentence in found.sentences] == [
        "port 5000 was added to the ports of container web",
        "a preStop sleep of 5 s was added to container web",
        "no container has a readinessProbe",
    ]


def test_an_autoscaler_goes_on_with_the_size():
    scaler = {"metadata": {"name": "by-cpu"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}}

    found = written(deployment(), [service()], [scaler])

    assert "replicas" not in yaml.safe_load(found.text)["spec"]
    assert "let its scaleTargetRef name the Microservice" in found.sentences[0]


@pytest.mark.parametrize(
    ("port", "wanted", "component"),
    [
        ({"name": "http", "targetPort": "web"}, {"name": "http", "targetPort": "web"}, "http"),
        ({"name": "web", "targetPort": "web"}, {"name": "web"}, "http"),
        ({"name": "grpc", "targetPort": 5001}, {"name": "grpc", "targetPort": 5001}, "grpc"),
    ],
)
def test_ports_lead_where_they_led(port, wanted, component):
    named = deployment(ports=[{"name": "web", "containerPort": 5000}])

    spec = yaml.safe_load(written(named, [service(ports=[port | {"port": 80}])], []).text)["spec"]

    assert (spec["ports"], list(spec["components"])) == ([wanted | {"port": 80}], [component])


@pytest.mark.parametrize(
    ("image", "version"),
    [("hello:v2.1-rc.1", "v2.1-rc.1"), (f"registry/hello:1@sha256:{'ab' * 32}", "abababababab")],
)
def test_the_version_is_that_of_the_image(image, version):
    assert yaml.safe_load(written(deployment(image=image), [service()], []).text)["spec"]["version"] == version


@pytest.mark.parametrize(
    ("container", "services", "said"),
    [
        ({"image": "hello"}, [service()], "nothing was written: hello can change"),
        ({}, [service(ports=[{"port": 80, "targetPort": "web"}])], "no container has a port called web"),
        ({}, [service(clusterIP="None")], "Service hello can't be handed over: it is headless"),
        ({}, [], "there is not one Service that selects the pods of Deployment web: those that do are none"),
        ({}, [service(), service("second")], "those that do are hello, second; name one by --service"),
        ({"env": "nonsense", "name": "x" * 64}, [service()], r"nothing was written: spec\.components\.http"),
    ],
)
def test_what_would_be_refused_later_is_refused_now(container, services, said):
    with pytest.raises(NotPossible, match=said):
        written(deployment(**container), services, [])


def test_one_of_two_services_is_named():
    found = written(deployment(), [service(), service("second")], [], service="second")

    assert yaml.safe_load(found.text)["metadata"]["name"] == "second"
    with pytest.raises(NotPossible, match="Service third does not select the pods of Deployment web"):
        written(deployment(), [service()], [], service="third")


def test_a_file_that_is_there_stays(tmp_path):
    file = tmp_path / "microservice.yaml"
    write_new(file, "one")

    with pytest.raises(NotPossible, match="is there already, and was left as it is"):
        write_new(file, "two")
    with pytest.raises(NotPossible, match="can't be written: No such file"):
        write_new(tmp_path / "none" / "file", "one")
    assert file.read_text() == "one"
