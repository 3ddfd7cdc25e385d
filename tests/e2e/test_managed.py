"""Helm, kubectl and the operator: a service changes hands, is upgraded, goes back and ends, with no request lost."""

import os
import time

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind import managed
from support.kind.commands import CONTEXT, run
from support.kind.managed import (
    MANAGED,
    NAME,
    NAMESPACE,
    RELEASE,
    TAG,
    VERSION,
    LoadFromPod,
    Selectors,
    adopted,
    get,
    helm,
    kubectl,
    microservice,
    orphaned,
    pods,
    released,
    selector,
    upgrade,
)
from support.pipeline.gitlab import gitlab
from support.repository import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]
OPERATOR = "slipway-operator"
UPGRADES = int(os.environ.get("UPGRADES", "5"))


@pytest.fixture(scope="module", name="cluster", autouse=True)
def _cluster():
    """A namespace of its own, with an operator where the cluster has none yet; the shop is not needed."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")
    kubectl("create", "namespace", NAMESPACE)
    managed.apply(*managed.keys())
    secret = f"secret={managed.fernet_key()}"
    kubectl("create", "secret", "generic", "storefront-session", f"--from-literal={secret}")
    defined = kubectl("get", "crds", "-o", "name").split()
    mine = not any("slipway.dev" in each for each in defined)
    if not get("deployments", "-A", "-l", "app.kubernetes.io/name=operator")["items"]:
        own = ("--set", f"image.tag={TAG}", "--set", f"watchNamespaces={{{NAMESPACE}}}")
        own += ("--set", f"crds.install={str(mine).lower()}")
        helm("install", OPERATOR, ROOT / "charts" / "operator", *own, "--wait", "--timeout", "3m")
    kubectl("wait", "--for=condition=Ready", "pod/keys", "pod/load", "--timeout=120s")
    yield
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")
    if mine:
        kubectl("delete", "-f", ROOT / "k8s" / "crds", "--timeout=60s")


@pytest.fixture(autouse=True)
def _ends(cluster):
    """Whatever a test did with the release: uninstalled, it leaves nothing; definitions stay."""
    yield
    helm("uninstall", RELEASE, "--wait", "--timeout", "5m")
    eventually(lambda: not left(), within=300, every=0.5)
    assert len(kubectl("get", "crds", "-o", "name").split("slipway.dev")) == 4


def left():
    """All that is of the release in the namespace."""
    kinds = "microservices,serviceversions,deployments,replicasets,services,endpointslices,jobs,poddisruptionbudgets"
    kinds += ",configmaps,serviceaccounts,networkpolicies,pods"
    of_chart = get(kinds, "-l", f"app.kubernetes.io/instance={RELEASE}")["items"]
    of_operator = get(kinds, "-l", managed.SERVICE_LABEL)["items"]
    return [f"{each['kind']}/{each['metadata']['name']}" for each in of_chart + of_operator]


@pytest.fixture(name="running")
def _running():
    upgrade(*MANAGED, install=True)
    return released()


def test_a_service_changes_hands_and_back_and_no_request_is_lost():
    upgrade("--wait", "--timeout", "3m", install=True)
    refused = upgrade_refused(*MANAGED)
    assert f"kubectl slipway adopt {NAME}" in refused

    with LoadFromPod() as load, Selectors() as selectors:
        assert "release.managed=true" in adopted()
        upgrade(*MANAGED)
        version = released()
        eventually(lambda: not get("deployments", "-l", "slipway.dev/adopted")["items"], within=300, every=0.5)
        assert len(pods(version, ready=True)) == 2
        assert f"kubectl slipway orphan {NAME}" in upgrade_refused()

        before = pods(version)
        said, error = orphaned()
        assert error is None, (said, error)
        assert pods(version) == before, "who answers goes on answering"
        _, error = orphaned("--clean")
        assert "so nothing is removed yet" in str(error)
        upgrade("--wait", "--timeout", "3m")
        said, error = orphaned("--clean")
        assert error is None, (said, error)
        eventually(lambda: not pods(), within=300, every=0.5)

    print(f"\n  {sum(load.answers.values())} requests, selectors: {[each for each, _, _ in selectors.seen]}")
    assert load.failures == []
    assert load.answers.keys() == {"200"}
    assert sum(load.answers.values()) > 200
    assert {each for each, _, _ in selectors.seen} == {None, version}
    assert all(ready == 2 for each, ready, _ in selectors.seen if each)


def upgrade_refused(*options):
    with pytest.raises(AssertionError) as refused:
        upgrade(*options)
    return str(refused.value)


def test_adoption_can_be_undone():
    upgrade("--wait", "--timeout", "3m", install=True)
    adopted()

    said, error = orphaned()

    assert error is None, (said, error)
    assert f"kubectl slipway adopt {NAME}" in upgrade_refused(*MANAGED)
    upgrade("--set", "logLevel=DEBUG", "--wait", "--timeout", "3m")


def test_the_pipeline_promotes_the_version_that_it_names_and_takes_it_back(running, tmp_path):
    """The jobs that a person starts in GitLab; the way back in the image that has all it needs."""
    upgrade(*MANAGED, "--set", "logLevel=DEBUG", "--set", "release.autoPromote=false")
    waiting = eventually(lambda: microservice()["status"].get("step") == "Promoting" and the_new_one(), within=300)
    variables = {"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main", "KUBE_CONTEXT": CONTEXT}
    variables |= {"SERVICE": NAME, "NAMESPACE": NAMESPACE}

    other = gitlab(tmp_path, "--force-shell-executor", "promote", **variables, VERSION=running)
    assert "WARN" in other.stdout, "it failed, and holds no pipeline up"
    assert "nothing was promoted" in other.stdout + other.stderr
    assert selector()[VERSION] == running

    done = gitlab(tmp_path, "--force-shell-executor", "promote", **variables, VERSION=waiting)
    assert "PASS" in done.stdout, done.stdout + done.stderr
    assert selector()[VERSION] == waiting

    in_the_image("ci/promote.sh", "rollback", NAME, NAMESPACE, folder=tmp_path)
    assert selector()[VERSION] == running


def in_the_image(*command, folder):
    """As the job runs: on a read-only checkout, without rights, with no server in reach but those of this machine."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(kubectl("config", "view", "--minify", "--flatten"))
    kubeconfig.chmod(0o644)
    mounts = [f"--volume={ROOT}:/builds/shop:ro", f"--volume={kubeconfig}:/kubeconfig:ro", "--workdir=/builds/shop"]
    strict = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=host"]
    settings = ["--env=KUBECONFIG=/kubeconfig", f"--env=KUBE_CONTEXT={CONTEXT}"]
    run("docker", "run", "--rm", *mounts, *strict, *settings, f"slipway/kubectl-slipway:{TAG}", *command)


def the_new_one():
    known = {each["metadata"]["name"].rpartition("-")[2] for each in get("serviceversions")["items"]}
    [made] = known - {selector()[VERSION]}
    return made


def test_helm_s_rollback_is_a_switch_to_the_kept_version(running):
    upgrade(*MANAGED, "--set", "logLevel=DEBUG", "--set", "release.scaleDownDelaySeconds=300")
    eventually(lambda: selector().get(VERSION) not in {None, running}, within=300, every=0.5)
    former = pods(running, ready=True)
    assert len(former) == 2, "they stay for a way back"

    helm("rollback", RELEASE, "1")
    eventually(lambda: selector()[VERSION] == running, within=300, every=0.5)

    assert released() == running
    assert pods(running, ready=True) == former, "the same pods, not new ones"


@pytest.mark.soak
@pytest.mark.parametrize("four", [False, True], ids=["helm3", "helm4"])
def test_upgrades_one_after_the_other_and_every_switch_is_to_a_version_that_is_ready(four):
    upgrade(*MANAGED, "--set", "http.replicas=1", install=True, four=four)
    released()
    with LoadFromPod() as load, Selectors() as selectors:
        for number in range(UPGRADES):
            setting = ("--set", f"settings.DEMO=number {number}", "--set", "http.replicas=1")
            upgrade(*MANAGED, *setting, four=four)
            if number % 5 == 4:
                released()
            else:
                time.sleep(number % 3)  # in the middle of the release before
        last = released()
    known = {each["spec"]["hash"] for each in get("serviceversions", "-l", f"{managed.SERVICE_LABEL}={NAME}")["items"]}

    print(f"\n  {sum(load.answers.values())} requests, {len(selectors.seen)} selectors, failures: {load.failures[:3]}")
    assert load.failures == []
    assert load.answers.keys() == {"200"}
    assert all(each and ready for each, ready, _ in selectors.seen), selectors.seen
    assert all(set(each) == {"slipway.dev/microservice", "slipway.dev/serving", VERSION} for *_, each in selectors.seen)
    assert selectors.seen[-1][0] == last in known
    assert UPGRADES / 5 <= len({each for each, _, _ in selectors.seen}) <= UPGRADES + 1


def test_kubectl_and_helm_4_wait_for_a_release(running):
    upgrade(*MANAGED, "--set", "logLevel=DEBUG", "--wait", "--timeout", "3m", four=True)

    status = microservice()["status"]
    assert status["activeVersion"] == selector()[VERSION] != running
    assert status["observedGeneration"] == microservice()["metadata"]["generation"]
    upgrade(*MANAGED, "--set", "logLevel=INFO")
    kubectl("wait", "--for=condition=Ready", f"microservice/{NAME}", "--timeout=180s")
    assert selector()[VERSION] == running, "the Ready from before the upgrade does not count"


def test_who_waits_for_a_bad_release_is_told():
    upgrade(*MANAGED, install=True)
    good = released()
    bad = ("--set", "image.tag=none-such", "--set", "release.progressDeadlineSeconds=10")

    with pytest.raises(AssertionError) as failed:
        upgrade(*MANAGED, *bad, "--wait", "--timeout", "150s", four=True)

    assert NAME in str(failed.value)
    assert "none-such" in microservice()["status"]["blockedBy"] or microservice()["status"]["phase"] == "Failed"
    assert selector()[VERSION] == good
