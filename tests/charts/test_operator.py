"""The operator's chart: its rights, the definitions it brings, and who acts."""

import subprocess

import pytest
import yaml

from slipway_chassis.config import load
from slipway_operator.runtimes.kubernetes.process.settings import OperatorSettings
from slipway_operator.spec import crds
from support.charts import CHARTS, helm, of_kind, render
from support.repository import ROOT

pytestmark = pytest.mark.charts
CHART = CHARTS / "operator"
PLAIN, FULL = CHART / "ci" / "plain-values.yaml", CHART / "ci" / "full-values.yaml"


def one(objects, kind):
    [found] = of_kind(objects, kind)
    return found


@pytest.mark.parametrize("resource", crds.RESOURCES, ids=lambda resource: resource.plural)
def test_the_chart_has_the_definitions_of_the_models(resource):
    """Made by `make generate`: the models, k8s/crds and the chart say the same."""
    name = f"{resource.plural}.yaml"
    assert (CHART / "files" / "crds" / name).read_text() == (ROOT / "k8s" / "crds" / name).read_text()

    [rendered] = [
        each
        for each in of_kind(render("operator", PLAIN), "CustomResourceDefinition")
        if each["metadata"]["name"].startswith(f"{resource.plural}.")
    ]
    assert rendered["spec"] == yaml.safe_load(crds.text(resource))["spec"]


def test_definitions_outlive_the_chart():
    for each in of_kind(render("operator", PLAIN), "CustomResourceDefinition"):
        assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not of_kind(render("operator", FULL), "CustomResourceDefinition")


def aggregated(role):
    return [name for name in role["metadata"]["labels"] if "/aggregate-to-" in name]


def rules(objects):
    """What the operator itself may do."""
    roles = [each for each in of_kind(objects, "ClusterRole", "Role") if not aggregated(each)]
    return [rule for each in roles for rule in each["rules"]]


@pytest.mark.parametrize("values", [PLAIN, FULL], ids=["plain", "full"])
def test_rights_are_named_one_by_one(values):
    for rule in rules(render("operator", values)):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not {"secrets", "nodes", "namespaces"} & set(rule["resources"])
        if "configmaps" in rule["resources"]:  # each version keeps copies; nobody else's are found or changed
            own = rule.get("resourceNames") == ["slipway-operator-claim"]
            assert rule["verbs"] == (["patch", "delete"] if own else ["get", "create"])


def test_the_operator_never_writes_what_people_wrote():
    for rule in rules(render("operator", PLAIN)):
        if "microservices" in rule["resources"]:
            assert set(rule["verbs"]) == {"get", "list", "watch"}


def test_with_namespaces_there_are_rights_in_them_alone():
    objects = render("operator", FULL)

    assert not of_kind(objects, "ClusterRole", "ClusterRoleBinding")
    placed = {each["metadata"].get("namespace") for each in of_kind(objects, "Role")}
    assert placed == {None, "shop", "payments"}
    assert environment(objects)["WATCH_NAMESPACES"]["value"] == "shop,payments"


def test_a_namespaced_operator_may_do_in_each_namespace_what_the_other_one_may_everywhere():
    """The same rules as Roles: nothing works only with rights in the whole cluster."""
    objects = render("operator", FULL)
    wanted = [rule for each in of_kind(render("operator", PLAIN), "ClusterRole") if not aggregated(each)
              for rule in each["rules"]]  # fmt: skip
    for namespace in ("shop", "payments"):
        [role] = [each for each in of_kind(objects, "Role") if each["metadata"].get("namespace") == namespace]
        [binding] = [each for each in of_kind(objects, "RoleBinding") if each["metadata"].get("namespace") == namespace]
        assert role["rules"] == wanted
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["subjects"][0]["name"] == "releases"


def test_by_default_the_operator_reaches_nothing_outside_of_the_cluster_but_the_api_server():
    for rule in one(render("operator", PLAIN), "NetworkPolicy")["spec"]["egress"]:
        ports = {each["port"] for each in rule["ports"]}
        assert rule.get("to") == [{"namespaceSelector": {}}] or ports in ({53}, {443, 6443})


@pytest.mark.parametrize("values", [PLAIN, FULL], ids=["plain", "full"])
def test_the_addresses_that_are_allowed_can_be_read(values):
    allowed = environment(render("operator", values))["ALLOWED_ADDRESSES"]["value"]
    settings = load(OperatorSettings, {"POD_NAME": "one", "ALLOWED_ADDRESSES": allowed})
    assert settings.addresses("slipway-system").url_refusal("http://169.254.169.254", "shop")


def test_people_of_a_namespace_may_steer_releases_and_look_at_them():
    """As far as Kubernetes' own ClusterRoles let them: view looks, edit and admin change. Records nobody changes."""
    roles = [each for each in of_kind(render("operator", PLAIN), "ClusterRole") if aggregated(each)]
    rights = {
        name.rpartition("-")[2]: {
            (resource, verb)
            for each in roles if name in each["metadata"]["labels"]
            for rule in each["rules"] for resource in rule["resources"] for verb in rule["verbs"]
        }
        for role in roles for name in aggregated(role)
    }  # fmt: skip
    looks = {(kind, verb) for kind in ("microservices", "releaseplans", "serviceversions")
             for verb in ("get", "list", "watch")}  # fmt: skip
    changes = {(kind, verb) for kind in ("microservices", "releaseplans")
               for verb in ("create", "update", "patch", "delete", "deletecollection")}  # fmt: skip
    assert rights == {"view": looks, "edit": looks | changes, "admin": looks | changes}


def environment(objects):
    [container] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each for each in container["env"]}


@pytest.mark.parametrize("values", [PLAIN, FULL], ids=["plain", "full"])
def test_every_variable_is_a_setting(values):
    known = {name.upper() for name in OperatorSettings.model_fields}
    assert environment(render("operator", values)).keys() <= known


def test_the_lease_is_the_one_the_role_names():
    objects = render("operator", PLAIN)
    role = next(each for each in of_kind(objects, "Role") if each["metadata"]["name"].endswith("-lease"))

    assert environment(objects)["LEASE_NAME"]["value"] == role["rules"][1]["resourceNames"][0]
    assert "list" not in str(role["rules"])


def test_with_one_replica_a_budget_would_block_every_drain():
    assert one(render("operator", PLAIN), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert not of_kind(render("operator", FULL), "PodDisruptionBudget")


def test_a_wrong_value_is_refused_and_named():
    for option, word in {
        "replicas=0": "replicas",
        "logLevel=LOUD": "logLevel",
        "watchNamespaces[0]=A_b": "watch",
    }.items():
        done = helm("template", "r", CHART, "--set", option)
        assert done.returncode != 0
        assert word in done.stderr


def test_nothing_is_left_to_generate():
    """The copies are in the repository, not made when somebody installs."""
    tracked = subprocess.run(
        ["git", "ls-files", "charts/operator/files/crds"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    assert len(tracked) == len(crds.RESOURCES)


def test_the_catalogue_is_told_of_every_definition():
    """artifacthub.io shows them with the chart."""
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    told = {each["name"]: each["kind"] for each in yaml.safe_load(annotations["artifacthub.io/crds"])}
    assert told == {
        crd["metadata"]["name"]: crd["spec"]["names"]["kind"]
        for crd in (yaml.safe_load(path.read_text()) for path in (CHART / "files" / "crds").glob("*.yaml"))
    }
