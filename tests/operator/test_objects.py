"""The manifests of children, word for word: a change here rolls pods of all services with the next operator."""

import copy

import pytest
import yaml

from slipway_operator.planning.observed import ANY
from slipway_operator.runtimes.kubernetes import objects
from slipway_operator.runtimes.kubernetes.mending import covers
from slipway_operator.spec.gates import JobGate
from slipway_operator.spec.microservice import MicroserviceSpec
from slipway_operator.spec.serviceversion import ServiceVersionSpec

OWNER = objects.Owner("orders", "11111111-2222-3333-4444-555555555555")
TEMPLATE = {
    "metadata": {"labels": {"app.kubernetes.io/name": "orders"}, "annotations": {"checksum/config": "abc"}},
    "spec": {
        "serviceAccountName": "orders",
        "containers": [
            {"name": "http", "image": "shop/orders:1.0", "volumeMounts": [{"name": "tmp", "mountPath": "/data"}]}
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    },
}
SPEC = MicroserviceSpec.model_validate(
    {
        "version": "1.0",
        "components": {
            "http": {"template": TEMPLATE},
            "grpc": {"template": TEMPLATE},
            "consumer": {"template": TEMPLATE, "replicas": 2},
        },
        "events": {"group": "orders"},
        "ports": [{"name": "http", "port": 80}, {"name": "grpc", "port": 8001, "appProtocol": "kubernetes.io/h2c"}],
        "migrations": {"expand": TEMPLATE},
    }
)
RECORD = ServiceVersionSpec.model_validate(objects.service_version(OWNER, SPEC, "0a1b2c3d", 3)["spec"])

DEPLOYMENT = """
metadata:
  name: orders-0a1b2c3d-http
  labels:
    slipway.dev/microservice: orders
    app.kubernetes.io/managed-by: slipway-operator
    slipway.dev/version: 0a1b2c3d
    slipway.dev/component: http
  ownerReferences:
  - apiVersion: slipway.dev/v1alpha1
    kind: Microservice
    name: orders
    uid: 11111111-2222-3333-4444-555555555555
    controller: true
    blockOwnerDeletion: false
spec:
  replicas: 2
  revisionHistoryLimit: 1
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector:
    matchLabels:
      slipway.dev/microservice: orders
      slipway.dev/version: 0a1b2c3d
      slipway.dev/component: http
  template:
    metadata:
      labels:
        app.kubernetes.io/name: orders
        slipway.dev/microservice: orders
        slipway.dev/version: 0a1b2c3d
        slipway.dev/component: http
        slipway.dev/serving: "true"
      annotations: {checksum/config: abc}
    spec:
      serviceAccountName: orders
      containers:
      - name: http
        image: shop/orders:1.0
        volumeMounts:
        - {name: tmp, mountPath: /data}
        - {name: slipway-release, mountPath: /run/slipway, readOnly: true}
      volumes:
      - {name: tmp, emptyDir: {}}
      - name: slipway-release
        downwardAPI:
          items:
          - path: draining
            fieldRef: {fieldPath: "metadata.labels['slipway.dev/draining']"}
"""


def test_a_deployment_of_a_component_that_serves():
    assert objects.deployment(OWNER, RECORD, "http", 2) == yaml.safe_load(DEPLOYMENT)


def test_a_worker_stands_behind_no_service_and_has_no_file_of_the_drain():
    made = objects.deployment(OWNER, RECORD, "consumer", 2)["spec"]["template"]

    selector = objects.active_selector("orders", ANY)
    assert not selector.items() <= made["metadata"]["labels"].items()
    assert made["spec"] == TEMPLATE["spec"]


def test_making_a_manifest_leaves_the_record_as_it_is():
    before = copy.deepcopy(RECORD.model_dump())
    objects.deployment(OWNER, RECORD, "http", 2)
    gate = JobGate.model_validate({"template": TEMPLATE})
    for _ in range(2):
        job = objects.gate_job(
            OWNER, "0a1b2c3d", "smoke", gate, attempt=1, run=1, first_started="", deadline_seconds=9, preview_url="u"
        )
    assert RECORD.model_dump() == before
    assert job["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "PREVIEW_URL", "value": "u"}]


@pytest.mark.parametrize("version", ["0a1b2c3d", ANY, objects.NOTHING])
def test_what_a_service_selects_can_be_read_back(version):
    plain = objects.active_service(OWNER, version, RECORD.ports)
    headless = objects.pods_service(OWNER, version, RECORD.ports)

    assert objects.selected("orders", plain["spec"]["selector"]) == version
    assert objects.selected("orders", headless["spec"]["selector"], grpc=True) == version
    assert objects.selected("orders", plain["spec"]["selector"] | {"app": "x"}) == "?"
    assert headless["spec"]["clusterIP"] == "None"
    assert [port["name"] for port in headless["spec"]["ports"]] == ["grpc"]


def test_a_preview_without_a_version_selects_nothing():
    selector = objects.preview_service(OWNER, None, RECORD.ports)["spec"]["selector"]

    assert selector["slipway.dev/version"] == "none"
    assert len(selector) == 3


def test_a_record_keeps_what_runs_as_it_was_given():
    made = objects.service_version(OWNER, SPEC, "0a1b2c3d", 3)

    assert made["metadata"]["name"] == "orders-0a1b2c3d"
    assert made["spec"]["components"]["http"] == TEMPLATE
    assert made["spec"]["expand"] == TEMPLATE
    assert "contract" not in made["spec"]
    assert "replicas" not in str(made["spec"]["components"])


def test_a_migration_is_a_job_of_one_attempt():
    made = objects.migration_job(OWNER, RECORD, "expand", 7, 600)

    assert made["metadata"]["name"] == "orders-0a1b2c3d-expand-7"
    assert made["metadata"]["annotations"] == {"slipway.dev/attempt": "7"}
    assert made["spec"]["activeDeadlineSeconds"] == 600
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_names_fit_into_63_characters():
    longest = "a" * 40
    names = [
        objects.deployment_name(longest, "0a1b2c3d", "consumer"),
        objects.migration_name(longest, "0a1b2c3d", "contract", 999),
        objects.gate_job_name(longest, "0a1b2c3d", "g" * 40, 999, 999),
        objects.preview_name(longest),
        objects.pods_name(longest),
    ]
    assert max(map(len, names)) <= 63
    assert objects.gate_job_name("a", "v", "g", 1, 2) != objects.gate_job_name("a", "v", "g", 2, 1)


WANTED = {"a": {"b": 1}, "list": [{"name": "x", "value": "1"}], "args": ["http"]}


@pytest.mark.parametrize(
    ("there", "same"),
    [
        (WANTED, True),
        (WANTED | {"more": 1}, True),
        (WANTED | {"a": {"b": 1, "default": 2}}, True),
        (WANTED | {"a": {"b": 2}}, False),
        (WANTED | {"list": [{"name": "y"}, {"name": "x", "value": "1", "default": 1}]}, True),
        (WANTED | {"list": [{"name": "x", "value": "2"}]}, False),
        (WANTED | {"list": []}, False),
        (WANTED | {"args": ["http", "-v"]}, False),
        ({}, False),
    ],
)
def test_what_is_compared_with_what_is_there(there, same):
    assert covers(there, WANTED) is same
