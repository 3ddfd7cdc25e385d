"""Argo CD and Flux on this project's charts: examples are valid, health is read rightly, and what people decide stays.

Neither controller runs here: Argo CD's rule is run by Lua 5.1 on what the planner says, and what both do, server-side
apply of rendered charts, by kubectl on a real API server. Some 15 s.
"""

import subprocess

import pytest
import yaml
from lupa import lua51

from slipway_operator.planning.observed import GateState
from support.charts import CHARTS, KUBERNETES_VERSIONS, of_kind, render
from support.cluster.api_server import ApiServer
from support.release_world import Nature, running
from support.repository import ROOT
from support.tools import TOOLS

K8S = ROOT / "k8s"
CONFIG = yaml.safe_load((K8S / "argo-cd/health.yaml").read_text())["data"]
RULES = {name.rpartition("_")[2]: text for name, text in CONFIG.items()}
MANAGER = "argocd-controller"  # Flux's is helm-controller: to an API server, both are a name


def health(kind, obj):
    """What Argo CD shows: (status, message)."""
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    found = lua.execute(RULES[kind])
    return found["status"], found["message"]


def shown(world, generation=1, seen=1):
    """A Microservice as the API server has it."""
    view = world.status_view
    said = [
        {"type": each.type, "status": each.status, "reason": each.reason, "message": each.message}
        for each in view.conditions
    ]
    status = {"observedGeneration": seen, "phase": view.phase, "blockedBy": view.blocked_by, "conditions": said}
    return {"metadata": {"generation": generation}, "status": status}


def in_the_middle(**changes):
    world = running()
    world.release("v2", **changes)
    world.round()
    return world


def waiting():
    world = running()
    world.release("v2", auto_promote=False)
    world.settle()
    return world


def failed():
    world = running()
    world.release("v2", Nature(gate=GateState.FAILED))
    world.settle()
    return world


def rolled_back():
    world = running()
    world.release("v2")
    world.settle()
    world.release("v2", pinned="v1")
    world.settle()
    return world


def stopped():
    world = running()
    world.release("v1", suspend="All")
    world.settle()
    return world


@pytest.mark.parametrize(("world", "expected"), [
    (running, "Healthy"), (in_the_middle, "Progressing"), (waiting, "Suspended"), (failed, "Degraded"),
    (rolled_back, "Degraded"), (stopped, "Suspended"),
], ids=lambda each: getattr(each, "__name__", each))  # fmt: skip
def test_argo_cd_shows_what_a_release_is_in(world, expected):
    status, message = health("Microservice", shown(world()))
    assert status == expected
    assert message or expected == "Healthy"


def test_a_change_that_the_operator_has_not_seen_is_no_health():
    """Ready speaks of the former spec until then, and a pipeline would go on."""
    assert health("Microservice", shown(running(), generation=2))[0] == "Progressing"
    for status in (None, {}, {"observedGeneration": 1}):
        assert health("Microservice", {"metadata": {"generation": 1}, "status": status})[0] == "Progressing"


def test_flux_takes_a_release_that_waits_for_a_person_for_ready():
    """As docs/gitops.md says: kstatus knows Ready, Reconciling and Stalled alone."""
    said = {each.type: each.status for each in waiting().status_view.conditions}
    assert (said["Ready"], said.get("Reconciling"), said.get("Stalled")) == ("True", None, None)
    assert said["Released"] == "False"


@pytest.mark.parametrize(("phase", "expected"), [
    ("Succeeded", "Healthy"), ("Paused", "Suspended"), ("Failed", "Degraded"), ("Blocked", "Degraded"),
    ("Releasing", "Progressing"), ("Returning", "Progressing"),
])  # fmt: skip
def test_a_plan_too(phase, expected):
    kinds = {"Healthy": [("Ready", "True")], "Suspended": [("Ready", "True")]}
    kinds |= {"Degraded": [("Ready", "False"), ("Stalled", "True")]}
    kinds |= {"Progressing": [("Ready", "Unknown"), ("Reconciling", "True")]}
    said = [{"type": kind, "status": status, "reason": phase, "message": "why"} for kind, status in kinds[expected]]
    plan = {"metadata": {"generation": 1}}
    plan["status"] = {"observedGeneration": 1, "phase": phase, "blockedBy": "", "conditions": said}
    assert health("ReleasePlan", plan) == (expected, "" if expected == "Suspended" else "why")


def test_both_kinds_that_have_conditions_have_a_rule():
    kinds = set()
    for path in (K8S / "crds").glob("*.yaml"):
        spec = yaml.safe_load(path.read_text())["spec"]
        [version] = spec["versions"]
        status = version["schema"]["openAPIV3Schema"]["properties"].get("status", {})
        if "conditions" in status.get("properties", {}):
            kinds.add(spec["names"]["kind"])
    assert kinds == set(RULES) == {"Microservice", "ReleasePlan"}


def documents(folder):
    return [item for path in sorted((K8S / folder).glob("*.yaml")) for item in yaml.safe_load_all(path.read_text())
            if item["kind"] not in {"Kustomization", "ConfigMap"}]  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("folder", ["argo-cd", "flux"])
def test_its_controller_knows_every_field(folder):
    schemas = f"{K8S}/schemas/crds/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [f"{TOOLS}/kubeconform", "-strict", "-summary", "-kubernetes-version", KUBERNETES_VERSIONS[-1]]

    def checked(objects):
        return subprocess.run(
            [*command, "-schema-location", schemas], input=yaml.safe_dump_all(objects), capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip

    objects = documents(folder)
    done = checked(objects)
    assert done.returncode == 0, done.stdout
    assert "Skipped: 0" in done.stdout
    objects[0]["spec"]["tragetRevision"] = "x"
    assert checked(objects).returncode == 1, "a wrong field would be found"


def test_both_apply_on_the_server_s_side():
    """Else a sync takes fields away that people have set."""
    for application in documents("argo-cd"):
        assert "ServerSideApply=true" in application["spec"]["syncPolicy"]["syncOptions"]
    [release] = [each["spec"] for each in documents("flux") if each["kind"] == "HelmRelease"]
    assert (release["install"]["serverSideApply"], release["upgrade"]["serverSideApply"]) == (True, "enabled")
    assert release["waitStrategy"] == {"name": "poller"}
    assert "health.yaml" not in yaml.safe_load((K8S / "argo-cd/kustomization.yaml").read_text())["resources"]


def test_a_promotion_from_one_environment_to_the_next_changes_one_word():
    staging, production = documents("argo-cd")
    for each in (staging, production):
        assert [source.pop("targetRevision") for source in each["spec"]["sources"]] == ["0.2.0", "main"]
        [files] = [source.pop("helm")["valueFiles"] for source in each["spec"]["sources"] if "helm" in source]
        assert len(files) == 1
        each["spec"]["destination"].pop("namespace")
    assert staging["spec"] == production["spec"]


# --- server-side apply
@pytest.fixture(scope="module", name="server")
def _server(run_folder):
    with ApiServer(run_folder / "gitops") as server:
        for path in sorted((K8S / "crds").glob("*.yaml")):
            definition = yaml.safe_load(path.read_text())
            status, answer = server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
            assert status == 201, answer
        yield server


def microservice(*options):
    rendered = render("orders", CHARTS / "orders" / "ci" / "managed-values.yaml", *options)
    [found] = of_kind(rendered, "Microservice")
    return found


PATH = "/apis/slipway.dev/v1alpha1/namespaces/default/microservices"


def applied(server, wanted, manager=MANAGER):
    """As these controllers apply it: their fields are theirs, and those of others stay."""
    path = f"{PATH}/{wanted['metadata']['name']}?fieldManager={manager}&force=true"
    status, answer = server.call("PATCH", path, wanted, content="application/apply-patch+yaml")
    assert status in {200, 201}, answer
    return answer


def decided(server, name, release):
    """As kubectl slipway writes it."""
    status, answer = server.call(
        "PATCH", f"{PATH}/{name}?fieldManager=kubectl-slipway", {"spec": {"release": release}},
        content="application/merge-patch+json",
    )  # fmt: skip
    assert status == 200, answer.get("message")


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_what_a_person_decided_outlives_each_sync(server):
    """Else self-healing would undo a rollback within minutes, and bring the bad version back."""
    wanted = microservice()
    name = applied(server, wanted)["metadata"]["name"]
    decided(server, name, {"activeVersion": "0a1b2c3d"})

    there = applied(server, wanted)
    assert there["spec"]["release"]["activeVersion"] == "0a1b2c3d"
    assert applied(server, microservice("--set", "image.tag=9.9"))["spec"]["release"]["activeVersion"] == "0a1b2c3d"

    applied(server, microservice("--set", "release.paused=true"))
    there = applied(server, microservice())
    assert there["spec"]["release"]["paused"] is False, "what the chart said once and says no more is gone"
    assert there["spec"]["release"]["activeVersion"] == "0a1b2c3d"
