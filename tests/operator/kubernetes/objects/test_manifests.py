"""The manifests of children, word for word: a change here rolls pods of all services with the next operator."""

import copy
import re

import pytest
import yaml

from slipway_operator.planning.observed import ANY
from slipway_operator.runtimes.kubernetes.act.drift import covers
from slipway_operator.runtimes.kubernetes.objects import configuration, manifests
from slipway_operator.spec.gates import JobGate
from slipway_operator.spec.microservice import MicroserviceSpec
from slipway_operator.spec.serviceversion import ServiceVersionSpec
from slipway_operator.spec.templates import PodTemplate

OWNER = manifests.Owner("orders", "11111111-2222-3333-4444-555555555555")
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
RECORD = ServiceVersionSpec.model_validate(manifests.service_version(OWNER, SPEC, "0a1b2c3d", 3)["spec"])

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
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 50%}}
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
    assert manifests.deployment(OWNER, RECORD, "http", 2) == yaml.safe_load(DEPLOYMENT)


def test_a_worker_stands_behind_no_service_and_has_no_file_of_the_drain():
    made = manifests.deployment(OWNER, RECORD, "consumer", 2)["spec"]["template"]

    selector = manifests.active_selector("orders", ANY)
    assert not selector.items() <= made["metadata"]["labels"].items()
    assert made["spec"] == TEMPLATE["spec"]


def test_making_a_manifest_leaves_the_record_as_it_is():
    before = copy.deepcopy(RECORD.model_dump())
    manifests.deployment(OWNER, RECORD, "http", 2)
    gate = JobGate.model_validate({"template": TEMPLATE})
    for _ in range(2):
        job = manifests.gate_job(
            OWNER, "0a1b2c3d", "smoke", gate, attempt=1, run=1, first_started="", deadline_seconds=9, preview_url="u"
        )
    assert RECORD.model_dump() == before
    assert job["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "PREVIEW_URL", "value": "u"}]


@pytest.mark.parametrize("restart", ["Never", "OnFailure"])
@pytest.mark.parametrize("kind", ["gate", "expand"])
def test_a_pod_that_is_evicted_is_no_result_of_its_job(kind, restart):
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["restartPolicy"] = restart
    if kind == "gate":
        gate = JobGate.model_validate({"template": template})
        job = manifests.gate_job(
            OWNER, "0a1b2c3d", "smoke", gate, attempt=1, run=1, first_started="", deadline_seconds=9, preview_url="u"
        )
    else:
        expanding = RECORD.model_copy(update={"expand": PodTemplate.model_validate(template)})
        job = manifests.migration_job(OWNER, expanding, "expand", 1, 60)

    disrupted = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
    # The API server refuses the policy with any other restartPolicy.
    assert job["spec"].get("podFailurePolicy") == ({"rules": disrupted} if restart == "Never" else None)


@pytest.mark.parametrize("version", ["0a1b2c3d", ANY, manifests.NOTHING])
def test_what_a_service_selects_can_be_read_back(version):
    plain = manifests.active_service(OWNER, version, RECORD.ports)
    headless = manifests.pods_service(OWNER, version, RECORD.ports)

    assert manifests.selected("orders", plain["spec"]["selector"]) == version
    assert manifests.selected("orders", headless["spec"]["selector"], grpc=True) == version
    assert manifests.selected("orders", plain["spec"]["selector"] | {"app": "x"}) == "?"
    assert headless["spec"]["clusterIP"] == "None"
    assert [port["name"] for port in headless["spec"]["ports"]] == ["grpc"]


def test_a_preview_without_a_version_selects_nothing():
    selector = manifests.preview_service(OWNER, None, RECORD.ports)["spec"]["selector"]

    assert selector["slipway.dev/version"] == "none"
    assert len(selector) == 3


def test_a_record_keeps_what_runs_as_it_was_given():
    made = manifests.service_version(OWNER, SPEC, "0a1b2c3d", 3)

    assert made["metadata"]["name"] == "orders-0a1b2c3d"
    assert made["spec"]["components"]["http"] == TEMPLATE
    assert made["spec"]["expand"] == TEMPLATE
    assert "contract" not in made["spec"]
    assert "replicas" not in str(made["spec"]["components"])


def test_a_migration_is_a_job_of_one_attempt():
    made = manifests.migration_job(OWNER, RECORD, "expand", 7, 600)

    assert made["metadata"]["name"] == "orders-0a1b2c3d-expand-7"
    assert made["metadata"]["annotations"] == {"slipway.dev/attempt": "7"}
    assert made["spec"]["activeDeadlineSeconds"] == 600
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_names_fit_into_63_characters():
    longest = "a" * 40
    names = [
        manifests.deployment_name(longest, "0a1b2c3d", "consumer"),
        manifests.migration_name(longest, "0a1b2c3d", "contract", 999),
        manifests.gate_job_name(longest, "0a1b2c3d", "g" * 40, 999, 999),
        manifests.preview_name(longest),
        manifests.pods_name(longest),
    ]
    assert max(map(len, names)) <= 63
    assert manifests.gate_job_name("a", "v", "g", 1, 2) != manifests.gate_job_name("a", "v", "g", 2, 1)


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


@pytest.mark.parametrize(
    ("there", "wanted", "same"),
    [
        ("1", "1000m", True), ("500m", 0.5, True), ("1Gi", "1024Mi", True), ("1G", "1Gi", False),
        ("2", "1000m", False), ("1k", "1e3", True), ("10", "ten", False), (None, "1", False),
    ],
)  # fmt: skip
def test_quantities_are_compared_by_their_amount(there, wanted, same):
    assert covers({"resources": {"limits": {"cpu": there}}}, {"resources": {"limits": {"cpu": wanted}}}) is same
    assert not covers({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "1000m"}]})


CONFIGURED = {
    "version": "1.0",
    "components": {"http": {"template": {"spec": {
        "initContainers": [{"name": "init", "image": "a:1", "envFrom": [{"configMapRef": {"name": "from"}}]}],
        "containers": [{
            "name": "main", "image": "a:1",
            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "key", "key": "a", "optional": True}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "a"}}}],
        }],
        "volumes": [
            {"name": "a", "configMap": {"name": "volume"}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "projected", "optional": True}},
                                                    {"configMap": {"name": "kube-root-ca.crt"}},
                                                    {"secret": {"name": "secret"}}]}},
            {"name": "c", "configMap": {"name": "key"}},
        ],
    }}}},
}  # fmt: skip


class TestConfiguration:
    spec = MicroserviceSpec.model_validate(CONFIGURED)
    found = {name: {"metadata": {"name": name}, "data": {"NAME": name}} for name in ("from", "key", "volume")}

    def record(self):
        digests = configuration.digests(self.spec, self.found)
        return ServiceVersionSpec.model_validate(
            manifests.service_version(OWNER, self.spec, "0a1b2c3d", 1, digests)["spec"]
        )

    def test_what_pods_name_is_found_in_all_places(self):
        """One reference that is not optional makes it needed; Secrets and the cluster's own are left alone."""
        assert configuration.named(self.spec) == {"from": True, "key": True, "projected": False, "volume": True}

    def test_what_is_missing_is_named(self):
        assert configuration.missing(self.spec, self.found) == ""
        assert "ConfigMap key, which" in configuration.missing(self.spec, self.found | {"key": None})

    def test_configuration_is_bounded(self):
        big = self.found | {"key": {"data": {"A": "a" * configuration.MOST_BYTES}}}
        assert "may have 1048576 bytes, and have 1048" in configuration.missing(self.spec, big)
        pod = {"spec": {"containers": [{"name": "main", "image": "a:1", "envFrom": [
            {"configMapRef": {"name": f"c{number}"}} for number in range(21)]}]}}  # fmt: skip
        many = MicroserviceSpec.model_validate({"version": "1", "components": {"http": {"template": pod}}})
        assert configuration.missing(many, {}) == "the pod templates name 21 ConfigMaps, and a version may have 20"

    def test_pods_read_copies_alone(self):
        record = self.record()
        pod = manifests.deployment(OWNER, record, "http", 1)["spec"]["template"]["spec"]
        copies = {name: configuration.copy_name(record, name) for name in record.config_maps}

        assert pod["initContainers"][0]["envFrom"][0]["configMapRef"] == {"name": copies["from"]}
        sources = pod["volumes"][1]["projected"]["sources"]
        # It did not exist: its copy never will, whatever comes later under the old name.
        assert sources[0]["configMap"] == {"name": copies["projected"], "optional": True}
        assert "projected" not in configuration.copies(record)
        assert (
            sources[1:]
            == CONFIGURED["components"]["http"]["template"]["spec"]["volumes"][1]["projected"]["sources"][1:]
        )
        assert all(re.fullmatch(r"orders-0a1b2c3d-[0-9a-f]{8}", each) for each in copies.values())
        assert pod["containers"][0]["env"][1]["valueFrom"]["secretKeyRef"]["name"] == "secret"

    def test_a_copy_is_immutable_and_goes_with_the_record(self):
        made = configuration.copy_of(self.record(), "uid", "from", self.found["from"])

        assert made["immutable"] is True
        assert made["data"] == {"NAME": "from"}
        [owner] = made["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("ServiceVersion", "orders-0a1b2c3d", "uid")

    def test_a_copy_is_made_of_the_recorded_content_or_not_at_all(self):
        record = self.record()
        copies = dict.fromkeys(configuration.copies(record).values())
        changed = {"metadata": {"name": "from"}, "data": {"NAME": "another"}}

        assert configuration.to_copy(record, self.found | copies) == self.found
        assert configuration.to_copy(record, self.found | copies | {"from": changed})["from"] is None
        assert configuration.to_copy(record, self.found) == {}  # nobody looked for them

    def test_a_record_without_configuration_changes_no_pod(self):
        """Those that an earlier release of the operator made: their pods must not be replaced."""
        record = ServiceVersionSpec.model_validate(manifests.service_version(OWNER, self.spec, "0a1b2c3d", 1)["spec"])
        pod = manifests.deployment(OWNER, record, "http", 1)["spec"]["template"]["spec"]

        assert pod["volumes"][0] == {"name": "a", "configMap": {"name": "volume"}}
