"""adopt and orphan for Services and Deployments of any chart: all is checked before the first write."""

import copy
import json

import pytest

from slipway_operator.kubectl import adoption
from slipway_operator.kubectl.adoption import DEPLOYMENT, MICROSERVICE, SERVICE
from slipway_operator.kubectl.errors import NotPossible
from slipway_operator.kubectl.lending import lend
from slipway_operator.runtimes.kubernetes.api.kinds import (
    ADOPTED_LABEL,
    COMPONENT_LABEL,
    LENT_AS,
    LENT_LABEL,
    SERVICE_LABEL,
    VERSION_LABEL,
)
from support.object_store import merged

POD = {"app": "hello"}
VERSION = "0a1b2c3d"


class Namespace:
    """Objects by kind and name, with the rights of a person."""

    namespace = "shop"

    def __init__(self, **services):
        self.objects, self.writes = {}, []
        self.put(SERVICE, "hello", {"selector": POD, "ports": [{"port": 80}]} | services)
        self.put(DEPLOYMENT, "hello", {
            "replicas": 4, "selector": {"matchLabels": POD}, "template": {"metadata": {"labels": POD}}
        })  # fmt: skip

    def put(self, kind, name, spec, **metadata):
        self.objects[kind, name] = {"metadata": {"name": name, "uid": name, "generation": 1} | metadata, "spec": spec}
        return self.objects[kind, name]

    def get(self, kind, name):
        return copy.deepcopy(self.objects.get((kind, name)))

    def select(self, kind, selector):
        wanted = [each.partition("=") for each in selector.split(",")]
        return [
            copy.deepcopy(each)
            for (of, _), each in self.objects.items()
            if of == kind
            and all(
                name in each["metadata"].get("labels", {}) and value in {"", each["metadata"]["labels"][name]}
                for name, _, value in wanted
            )
        ]

    def patch(self, kind, name, patch):
        self.writes.append((kind, name))
        self.objects[kind, name] = merged(self.objects[kind, name], patch)
        return self.get(kind, name)

    def delete(self, kind, name, *, orphan=False):  # as kubectl has it
        self.writes.append((kind, name))
        self.objects.pop((kind, name))

    def managed(self):
        """As a Microservice that was written by hand and took over: its pods have no labels of a chart."""
        labels = {SERVICE_LABEL: "hello", VERSION_LABEL: VERSION, COMPONENT_LABEL: "http"}
        self.put(MICROSERVICE, "hello", {}).update(status={"phase": "Released", "observedGeneration": 1})
        self.put(DEPLOYMENT, f"hello-{VERSION}-http", {"template": {"metadata": {"labels": labels}}}, labels=labels)
        self.patch(SERVICE, "hello", {"metadata": {"labels": {SERVICE_LABEL: "hello"}},
                                      "spec": {"selector": {"app": None, **labels}}})  # fmt: skip
        self.writes.clear()
        return self


def test_any_service_and_deployment_are_handed_over():
    there = Namespace()

    said = lend(there, "hello", services=["hello"], deployments=["hello"])

    assert said[0] == "handed over to hello: Service hello, Deployment hello"
    service, deployment = there.get(SERVICE, "hello"), there.get(DEPLOYMENT, "hello")
    assert service["metadata"]["labels"] == {SERVICE_LABEL: "hello", LENT_LABEL: "true"}
    assert json.loads(service["metadata"]["annotations"][LENT_AS])["spec"]["selector"] == POD
    assert ADOPTED_LABEL in deployment["metadata"]["labels"]
    there.writes.clear()
    lend(there, "hello", services=["hello"], deployments=["hello"])
    assert there.writes == [], "begun again, nothing is left to do"


def test_a_deployment_alone_comes_with_the_service_of_the_name():
    there = Namespace()

    assert "Service hello, Deployment hello" in lend(there, "hello", services=[], deployments=["hello"])[0]


def test_what_helm_owns_stays_when_its_chart_gives_it_up_and_that_is_said():
    there = Namespace()
    there.patch(SERVICE, "hello", {"metadata": {"annotations": {"meta.helm.sh/release-name": "web"}}})

    said = lend(there, "hello", services=["hello"], deployments=[])

    assert said[-1].startswith("hello is of Helm release web: take it out of that chart before its next upgrade")
    assert there.get(SERVICE, "hello")["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    adoption.orphan(there, "hello")
    assert there.get(SERVICE, "hello")["metadata"]["annotations"] == {"meta.helm.sh/release-name": "web"}


CONTROLLED = [{"kind": "Rollout", "name": "web", "uid": "1", "controller": True}]


@pytest.mark.parametrize(("services", "deployments", "words"), [
    (["hello"], ["gone"], "there is no Deployment gone in namespace shop: nothing was changed"),
    (["gone"], [], "Service gone is none of hello"),
    (["hello-preview"], [], "there is no Service hello-preview in namespace shop"),
    (["hello"], ["other"], "Service hello does not select the pods of Deployment other"),
    (["hello"], ["controlled"], "belongs to Rollout web"),
])  # fmt: skip
def test_one_thing_that_is_wrong_keeps_all_from_being_marked(services, deployments, words):
    there = Namespace()
    there.put(DEPLOYMENT, "other", {"template": {"metadata": {"labels": {"app": "other"}}}})
    there.put(DEPLOYMENT, "controlled", {"template": {"metadata": {"labels": POD}}}, ownerReferences=CONTROLLED)

    with pytest.raises(NotPossible, match=words):
        lend(there, "hello", services=services, deployments=deployments)
    assert there.writes == []


def test_a_headless_service_is_refused():
    there = Namespace(clusterIP="None")

    with pytest.raises(NotPossible, match="headless"):
        lend(there, "hello", services=["hello"], deployments=[])


def test_without_a_deployment_of_the_charts_names_adopt_says_what_it_looked_for():
    there = Namespace()

    with pytest.raises(NotPossible, match=r"none of the Deployments hello-http, .*--deployment DEPLOYMENT"):
        adoption.adopt(there, "hello")
    assert there.writes == []


def test_orphan_of_what_was_handed_over_and_never_taken_makes_it_as_it_was():
    there = Namespace()
    before = there.get(SERVICE, "hello")["spec"]
    lend(there, "hello", services=["hello"], deployments=["hello"])

    assert adoption.orphan(there, "hello") == ["hello is not handed over any more: all is as it was"]
    for kind in (SERVICE, DEPLOYMENT):
        metadata = there.get(kind, "hello")["metadata"]
        assert not metadata.get("labels")
        assert not metadata.get("annotations")
    assert there.get(SERVICE, "hello")["spec"] == before


def test_a_version_without_labels_of_a_chart_goes_on_behind_its_service():
    there = Namespace().managed()
    selector = there.get(SERVICE, "hello")["spec"]["selector"]

    said = adoption.orphan(there, "hello")

    assert there.get(SERVICE, "hello")["spec"]["selector"] == selector
    assert there.get(DEPLOYMENT, f"hello-{VERSION}-http")
    assert there.get(MICROSERVICE, "hello") is None
    assert "--clean -n shop --deployment DEPLOYMENT" in said[1]


def test_orphan_checks_before_it_deletes():
    there = Namespace().managed()
    del there.objects[DEPLOYMENT, f"hello-{VERSION}-http"]

    with pytest.raises(NotPossible, match="has no Deployment"):
        adoption.orphan(there, "hello")
    assert there.writes == []


def test_a_service_that_is_lent_is_not_given_back_in_the_middle_of_orphan():
    there = Namespace().managed()
    there.patch(SERVICE, "hello", {"metadata": {"labels": {LENT_LABEL: "true"}, "annotations": {LENT_AS: "{}"}}})
    there.writes.clear()

    adoption.orphan(there, "hello")

    assert there.writes.index((SERVICE, "hello")) < there.writes.index((MICROSERVICE, "hello"))
    assert LENT_AS not in there.get(SERVICE, "hello")["metadata"]["annotations"]


def test_clean_gives_the_service_to_a_deployment_that_is_ready():
    there = Namespace().managed()
    adoption.orphan(there, "hello")
    own = f"hello-{VERSION}-http"

    with pytest.raises(NotPossible, match=r"own Deployment hello-http is not there.*--deployment"):
        adoption.clean(there, "hello")
    with pytest.raises(NotPossible, match="has 0 of 4 pods available"):
        adoption.clean(there, "hello", "hello")
    assert there.get(DEPLOYMENT, own)

    there.objects[DEPLOYMENT, "hello"]["status"] = {
        "observedGeneration": 1, "availableReplicas": 4, "updatedReplicas": 4
    }  # fmt: skip
    adoption.clean(there, "hello", "hello")

    assert there.get(SERVICE, "hello")["spec"]["selector"] == POD
    assert there.get(DEPLOYMENT, own) is None
