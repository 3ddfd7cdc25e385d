"""Services that the operator releases: one Microservice, with the same pods as without it."""

import json
import runpy

import pytest
import yaml

from slipway_operator.spec.hashing import version_hash
from slipway_operator.spec.microservice import MicroserviceSpec
from support.charts import CHARTS, SERVICES, SERVING, SHOP, WITH_DATA, helm, of_kind, pod_templates, render
from support.repository import ROOT

pytestmark = pytest.mark.charts
MANAGED = ("--set", "release.managed=true")
BLUE_GREEN = (*MANAGED, "--set", "release.strategy=blueGreen")
GOLDEN = ROOT / "tests" / "charts" / "golden"


def values(service, case):
    return CHARTS / service / "ci" / f"{case}-values.yaml"


def microservice(service, case="plain", options=BLUE_GREEN):
    [found] = of_kind(render(service, values(service, case), *options), "Microservice")
    return found


def version(service, *options):
    return version_hash(MicroserviceSpec.model_validate(microservice(service, options=(*BLUE_GREEN, *options))["spec"]))


@pytest.mark.parametrize("service", SERVICES)
class TestEachService:
    def test_the_pods_are_those_of_unmanaged_releases(self, service):
        plain, managed = render(service, values(service, "plain")), [microservice(service)]
        made = {process: template for _, process, template in pod_templates(plain) if "-test" not in _}
        mine = {process: template for _, process, template in pod_templates(managed)}

        assert mine == made
        assert mine.keys() >= {SERVING[service]}

    def test_what_the_operator_makes_is_not_rendered(self, service):
        def names(objects):
            return {(each["kind"], each["metadata"]["name"]) for each in objects}

        plain = render(service, values(service, "plain"))
        managed = render(service, values(service, "plain"), *BLUE_GREEN)
        made_by_the_operator = of_kind(plain, "Deployment", "Service", "PodDisruptionBudget", "Job")

        assert names(managed) == names(plain) - names(made_by_the_operator) | {("Microservice", f"r-{service}")}
        for each in managed:
            if each["kind"] != "Microservice":
                assert each in plain, f"{each['kind']} has to stay as it is"

    def test_its_defaults_are_those_of_the_definition(self, service):
        """One truth: what is not set means the same in values and in a Microservice that a person writes."""
        told = MicroserviceSpec.model_validate(microservice(service)["spec"])
        pod = {"spec": {"containers": [{"name": "http", "image": "http:1"}]}}
        fresh = MicroserviceSpec.model_validate({"version": "1", "components": {"http": {"template": pod}}})

        assert told.strategy == fresh.strategy
        assert (told.watch_seconds, told.history, told.gates, told.release) == (
            fresh.watch_seconds, fresh.history, fresh.gates, fresh.release,
        )  # fmt: skip
        assert bool(told.migrations.expand) == (service in WITH_DATA)
        if "consumer" in told.components:
            assert (told.events.group, told.events.handover) == (service, "Exclusive")
        else:
            assert told.events is None

    def test_what_runs_makes_a_version_and_how_it_is_released_does_not(self, service):
        before = version(service)

        for option in ("logLevel=DEBUG", "image.tag=2.0.0", "drain.preStopSeconds=7"):
            assert version(service, "--set", option) != before, option
        for option in (
            f"{SERVING[service]}.replicas=5",
            "release.strategy=rolling",
            "release.watchSeconds=1",
            "release.history=9",
        ):
            assert version(service, "--set", option) == before, option

    def test_the_versions_people_choose_are_theirs_unless_they_are_set(self, service):
        assert "release" not in microservice(service)["spec"]
        chosen = ("--set", "release.paused=false", "--set", "release.promote=0a1b2c3d")
        told = microservice(service, options=(*BLUE_GREEN, *chosen))["spec"]["release"]
        assert told == {"paused": False, "promote": "0a1b2c3d"}


def test_the_golden_ones_have_every_branch():
    """test_golden.py compares them."""
    golden = {service: yaml.safe_load_all((GOLDEN / f"{service}-managed.yaml").read_text()) for service in SHOP}
    specs = {service: of_kind(objects, "Microservice")[0]["spec"] for service, objects in golden.items()}
    assert {spec["strategy"]["type"] for spec in specs.values()} == {"Rolling", "BlueGreen"}
    assert specs["users"].keys() >= {"gates", "release", "migrations", "events"}
    assert specs["users"]["strategy"].keys() >= {"promotionWindow", "scaleDownDelaySeconds"}
    assert "replicas" not in specs["users"], "an autoscaler sets them"
    assert specs["orders"]["replicas"] == 2
    assert "scaleDownDelaySeconds" not in specs["orders"]["strategy"], "a rolling release has none"
    assert [port["name"] for port in specs["inventory"]["ports"]] == ["grpc"]
    assert not specs["storefront"].keys() & {"events", "migrations"}


def test_both_ways_to_answer_are_one_service():
    ports = microservice("inventory", options=(*BLUE_GREEN, "--set", "http.enabled=true"))["spec"]["ports"]

    assert ports == [
        {"name": "http", "port": 80},
        {"name": "grpc", "port": 8001, "appProtocol": "kubernetes.io/h2c"},
    ]


def test_an_autoscaler_sets_the_size_of_the_microservice():
    objects = render("users", values("users", "full"), *BLUE_GREEN)
    [scaler] = of_kind(objects, "HorizontalPodAutoscaler")

    assert scaler["spec"]["scaleTargetRef"] == {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Microservice",
        "name": "r-users",
    }


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["release.strategy=blueGreen"], "blueGreen, which Deployments can't do: set release.managed to true"),
        (["release.managed=true", "http.replicas=0"], "http.replicas is 0, and a managed release has one pod at least"),
        (["release.managed=true", "grpc.enabled=true", "grpc.replicas=3"], "http.replicas and grpc.replicas differ"),
        (["release.managed=true", "http.enabled=false"], "nothing answers requests: set http.enabled or grpc.enabled"),
        (["release.managed=true", "http.serviceType=NodePort"], "http.serviceType is NodePort"),
    ],
)
def test_what_can_t_be_released_is_refused_with_its_cure(options, sentence):
    done = helm(
        "template", CHARTS / "users", "-f", values("users", "plain"), *(o for each in options for o in ("--set", each))
    )

    assert done.returncode != 0
    assert sentence in done.stderr


@pytest.mark.parametrize(
    "option",
    [
        "release.strategy=canary", "release.managed=perhaps", "release.previewReplicas=0", "release.watchSeconds=-1",
        "release.progressDeadlineSeconds=5", "release.handover=Shared", "release.promote=latest",
        "release.activeVersion=1.4.2", "release.promotionWindow.from=09:00", "release.history=0",
        "release.gates[0].name=a", "release.autoPromote=no way", "release.paused=maybe", "release.unknown=1",
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_and_named(option):
    done = helm("template", CHARTS / "users", "-f", values("users", "plain"), "--set", option)

    assert done.returncode != 0
    assert option.split("=")[0].split(".")[1].split("[")[0] in done.stderr


class TestPlatform:
    def test_nothing_is_managed_unless_one_says_so(self):
        objects = render("platform", values("platform", "kind"))

        assert not of_kind(objects, "Microservice", "CustomResourceDefinition", "ClusterRole")

    def test_managed_services_come_with_the_operator(self):
        objects = render("platform", values("platform", "managed"))

        assert {each["metadata"]["name"] for each in of_kind(objects, "Microservice")} == {f"r-{s}" for s in SHOP}
        assert {each["spec"]["strategy"]["type"] for each in of_kind(objects, "Microservice")} == {"BlueGreen"}
        assert {each["metadata"]["name"] for each in of_kind(objects, "Deployment")} == {"r-gateway", "r-operator"}

    def test_the_operator_brings_its_definitions(self):
        objects = render("platform", values("platform", "kind"), "--set", "operator.enabled=true")

        assert len(of_kind(objects, "CustomResourceDefinition")) == 3

    def test_services_are_found_by_the_same_names(self):
        """The gateway and the storefront must not care who releases a service."""
        plain = render("platform", values("platform", "kind"))
        made = {f"r-{service}" if SERVING[service] == "http" else f"r-{service}-pods" for service in SHOP}

        assert {each["metadata"]["name"] for each in of_kind(plain, "Service")} >= made


@pytest.mark.parametrize(
    "path", sorted((ROOT / "k8s" / "schemas" / "slipway.dev").glob("*.json")), ids=lambda p: p.stem
)
def test_the_schemas_for_kubeconform_are_those_of_the_definitions(path, tmp_path):
    runpy.run_path(str(ROOT / "k8s" / "schemas" / "crds.py"))["main"](tmp_path)

    there = {path.name: json.loads(path.read_text()) for path in (ROOT / "k8s/schemas/slipway.dev").glob("*.json")}
    assert there == {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}, "run: make generate"
    assert "microservice-slipway-v1alpha1.json" in there
