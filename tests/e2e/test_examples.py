"""k8s/examples on a real cluster: each one is released, gets a second version in its own way, and ends."""

import json

import pytest
import yaml

from slipway_chassis.testing.plugin import eventually
from support.kind.commands import kubectl, left
from support.kind.microservice import RELEASE_SECONDS, Microservice
from support.repository import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(900)]
NAMESPACE = "examples"


@pytest.fixture(scope="module", name="examples")
def _examples(operator, api):
    """All that the folder's kustomization names, with the image of this checkout, under the restricted standard."""
    image = "slipway/gateway"
    text = kubectl("kustomize", ROOT / "k8s" / "examples").replace(f"{image}:0.2.0", f"{image}:{operator}")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    kubectl("apply", "-f", "-", stdin=text, namespace=NAMESPACE)
    yield [Microservice(api, NAMESPACE, each["metadata"]["name"]) for each in yaml.safe_load_all(text) if each]
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")


def second_version(spec):
    """As the examples' comments say: another version, told to the container as well."""
    spec["version"] = "1.1"
    [container] = spec["components"]["http"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "VERSION", "value": "1.1"}]
    for gate in spec.get("gates", []):
        if gate["name"] == "says-its-version":
            gate["http"]["contains"] = "1.1"


def test_each_is_released_goes_on_to_a_second_version_and_leaves_nothing(examples):
    first = {each.name: each.wait(1)["activeVersion"] for each in examples}

    generations = {each.name: each.change(second_version) for each in examples}
    for each in examples:
        if not each.get()["spec"]["strategy"].get("autoPromote", True):
            eventually(lambda each=each: each.status["phase"] == "Waiting", within=RELEASE_SECONDS)
            assert each.selected() == first[each.name]
            named = {"promote": each.status["candidateVersion"]}
            generations[each.name] = each.change(lambda spec, named=named: spec.update(release=named))

    for each in examples:
        status = each.wait(generations[each.name])
        assert status["activeVersion"] == each.selected() != first[each.name]
        kubectl("delete", "microservice", each.name, "--timeout=120s", namespace=NAMESPACE)
    eventually(lambda: not left(namespace=NAMESPACE), within=120)
