"""Who may do everything in one namespace, and writes hostile texts into each field of its Microservices. 2 min.

The namespace has no room for pods: what is asked is where the operator goes, and what it tells.
"""

import json
import re
import secrets

import pytest

from slipway_chassis.testing.plugin import eventually
from support.hostile_texts import HOSTILE, SPEC, changed, places
from support.kind.commands import CONTEXT, OPERATOR_NAMESPACE, apply, get, kubectl, run
from support.tools import TOOLS

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1200)]
OWN, OTHER = "team-a", "secretive"
TOKEN = secrets.token_hex(16)
EACH = 2  # texts for each field


def hostile():
    """Each field with some of the texts, which take turns."""
    for number, place in enumerate(places(SPEC)):
        for turn in range(EACH):
            text = HOSTILE[(number * EACH + turn) % len(HOSTILE)]
            yield f"orders-{number}-{turn}", changed(SPEC, place, text)


@pytest.fixture(scope="module", name="refused", autouse=True)
def _refused(operator):
    """What the API server said of those that it did not take: name → sentence."""
    for namespace in (OWN, OTHER):
        kubectl("create", "namespace", namespace)
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "admin"},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
               "subjects": [{"kind": "ServiceAccount", "name": "admin", "namespace": OWN}]}  # fmt: skip
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "no"}, "spec": {"hard": {"pods": "0"}}}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"key": "value"}}
    apply(binding, quota, settings, namespace=OWN)
    apply({**settings, "metadata": {"name": "private"}, "data": {"token": TOKEN}}, namespace=OTHER)
    yield dict(written())
    for namespace in (OWN, OTHER):
        kubectl("delete", "namespace", namespace, "--timeout=300s", timeout=320)


def written():
    """kubectl goes on after each refusal, and ends with an error because of them."""
    manifests = [
        {"apiVersion": "slipway.dev/v1alpha1", "kind": "Microservice", "metadata": {"name": name}, "spec": spec}
        for name, spec in hostile()
    ]
    command = [f"{TOOLS}/kubectl", "--context", CONTEXT, "-n", OWN, f"--as=system:serviceaccount:{OWN}:admin"]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    said = run("sh", "-c", '"$@" create -f - 2>&1 || true', "-", *command, stdin=text, timeout=600)
    created = set(re.findall(r"^microservice.slipway.dev/(\S+) created$", said, re.MULTILINE))
    print(f"{len(created)} of {len(manifests)} were taken by the API server")
    for name, _ in hostile():
        if name not in created:
            told = re.search(rf'"{name}" is invalid: .*', said)
            yield name, told[0] if told else ""


def everything_of(namespace):
    kinds = "microservices,serviceversions,deployments,services,jobs,configmaps,events,poddisruptionbudgets"
    return get(kinds, namespace=namespace)["items"]


def test_what_the_api_server_refuses_is_told_by_the_field(refused):
    assert refused
    for name, said in refused.items():
        assert re.search(r"is invalid: \[?spec[.:]", said), (name, said)


def test_whatever_it_takes_is_answered(refused):
    names = {name for name, _ in hostile()} - set(refused)
    assert names

    def unanswered():
        status = {
            each["metadata"]["name"]: each.get("status", {}) for each in get("microservices", namespace=OWN)["items"]
        }
        return {name for name in names if not status[name].get("conditions")}

    eventually(lambda: not unanswered(), within=300, every=3)


def test_nothing_of_another_namespace_was_read_or_touched():
    """What was there has its first version still, and its secret stands nowhere else."""
    [private] = [each for each in everything_of(OTHER) if each["metadata"]["name"] == "private"]
    assert private["data"] == {"token": TOKEN}
    assert {each["metadata"]["name"] for each in everything_of(OTHER)} == {"private", "kube-root-ca.crt"}
    assert TOKEN not in json.dumps(everything_of(OWN))
    made = get("serviceversions,deployments,services", "-l", "slipway.dev/microservice", "--all-namespaces")["items"]
    assert {each["metadata"]["namespace"] for each in made} <= {OWN}


def test_the_operator_goes_on_and_serves_others():
    spec = SPEC | {"gates": [], "version": "good"}
    apply({"apiVersion": "slipway.dev/v1alpha1", "kind": "Microservice", "metadata": {"name": "good"}, "spec": spec},
          namespace=OTHER)  # fmt: skip
    eventually(
        lambda: get("microservice", "good", namespace=OTHER).get("status", {}).get("conditions"), within=120, every=1
    )
    pods = get("pods", "-l", "app.kubernetes.io/name=operator", namespace=OPERATOR_NAMESPACE)["items"]
    assert [each["restartCount"] for pod in pods for each in pod["status"]["containerStatuses"]] == [0] * len(pods)
