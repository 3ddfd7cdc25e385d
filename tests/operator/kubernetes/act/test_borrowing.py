"""What others made is never taken without consent, is remembered where it is lent, and given back as it was."""

import asyncio
import copy

import pytest

from slipway_operator.errors import NotOurs
from slipway_operator.runtimes.kubernetes.act.applying import apply_child
from slipway_operator.runtimes.kubernetes.act.borrowing import Borrower
from slipway_operator.runtimes.kubernetes.api.kinds import (
    ADOPTED_LABEL,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    MICROSERVICE,
    SERVICE,
    SERVICE_LABEL,
    Key,
)
from slipway_operator.runtimes.kubernetes.objects import manifests
from slipway_operator.runtimes.kubernetes.objects.ownership import is_lent, is_ours
from slipway_operator.runtimes.kubernetes.observe.cluster_snapshot import ClusterSnapshot
from slipway_operator.spec.hashing import version_hash
from slipway_operator.spec.microservice import MicroserviceSpec
from support.object_store import ObjectStore

KEY, OWNER = Key("shop", "orders"), manifests.Owner("orders", "uid")
THEIRS = {"selector": {"app": "database"}, "ports": [{"name": "db", "port": 5432}], "type": "ClusterIP"}
POD = {"spec": {"containers": [{"name": "a", "image": "a:1", "ports": [{"name": "http", "containerPort": 1}]}]}}
HELM = {"annotations": {"meta.helm.sh/release-name": "hello"}, "labels": {"app.kubernetes.io/managed-by": "Helm"}}


def wanted(**changes):
    return MicroserviceSpec.model_validate({"version": "1.0", "components": {"http": {"template": POD}}} | changes)


def seen(store):
    """As the operator lists: by its label alone."""

    def of(kind):
        found = asyncio.run(store.list(kind, "shop", selector=f"{SERVICE_LABEL}=orders"))
        return {each["metadata"]["name"]: each for each in found}

    microservice = {"metadata": {"name": "orders", "uid": "uid"}}
    return ClusterSnapshot(microservice, {}, {}, of(DEPLOYMENT), of(SERVICE), {}, [], [], [])


def borrow(store, spec=None):
    spec = spec or wanted()
    return asyncio.run(Borrower(store).borrow(KEY, seen(store), spec, OWNER))


def give_back(store):
    return asyncio.run(Borrower(store).give_back(KEY))


NAMES = {
    "orders": SERVICE,
    "orders-preview": SERVICE,
    f"orders-{version_hash(wanted())}": SERVICE,
    f"orders-{version_hash(wanted())}-http": DEPLOYMENT,
}


@pytest.mark.parametrize("name", NAMES)
def test_an_object_that_nobody_handed_over_blocks_and_is_not_touched(name):
    store = ObjectStore()
    before = copy.deepcopy(store.put(NAMES[name], name, THEIRS, **HELM))

    found = borrow(store)

    assert found.blocking.startswith(f"{NAMES[name].name} {name} exists and belongs to Helm release hello")
    assert store.at(NAMES[name], name) == before


def test_the_sentence_names_the_command_that_hands_a_service_over():
    store = ObjectStore()
    store.put(SERVICE, "orders", THEIRS)

    assert "kubectl slipway adopt orders --service orders" in borrow(store).blocking


def test_names_that_two_services_derive_belong_to_the_first():
    """orders-preview is the preview Service of orders, and the Service of a Microservice of that name."""
    store = ObjectStore()
    other = manifests.Owner("orders-preview", "other")
    made = manifests.active_service(other, "0a1b2c3d", wanted().ports)
    store.put(SERVICE, "orders-preview", made["spec"], ownerReferences=[other.reference()])
    spec = wanted(adopt={"services": ["orders-preview"]})

    said = borrow(store, spec).blocking

    assert "belongs to Microservice orders-preview: give one of the two another name" in said
    assert store.writes == []


def test_a_headless_service_is_refused_even_where_it_is_handed_over():
    store = ObjectStore()
    store.put(SERVICE, "orders", THEIRS | {"clusterIP": "None"})

    assert "it is headless" in borrow(store, wanted(adopt={"services": ["orders"]})).blocking


def test_all_is_checked_before_the_first_is_taken():
    store = ObjectStore()
    store.put(SERVICE, "orders", THEIRS)
    store.put(SERVICE, "orders-preview", THEIRS)

    assert "orders-preview" in borrow(store, wanted(adopt={"services": ["orders"]})).blocking
    assert store.writes == []


def test_nothing_is_taken_while_the_service_is_paused():
    store = ObjectStore()
    store.put(SERVICE, "orders", THEIRS)

    assert not borrow(store, wanted(adopt={"services": ["orders"]}, release={"paused": True})).taken
    assert store.writes == []


@pytest.mark.parametrize("theirs", [
    THEIRS,
    THEIRS | {"type": "ExternalName", "externalName": "db.example"},
    {"ports": THEIRS["ports"]},
    THEIRS | {"publishNotReadyAddresses": True},
])  # fmt: skip
def test_a_service_that_was_lent_is_given_back_as_it_was(theirs):
    store = ObjectStore()
    before = copy.deepcopy(store.put(SERVICE, "orders", theirs, **copy.deepcopy(HELM)))
    assert borrow(store, wanted(adopt={"services": ["orders"]})).taken

    there = store.at(SERVICE, "orders")
    made = manifests.active_service(OWNER, "0a1b2c3d", wanted().ports)
    asyncio.run(apply_child(store, SERVICE, "shop", made, there=there, owner=OWNER))
    used = store.at(SERVICE, "orders")

    assert used["spec"]["selector"] == manifests.active_selector("orders", "0a1b2c3d")
    assert used["spec"].get("type", "ClusterIP") == "ClusterIP"
    assert "externalName" not in used["spec"]
    assert "ownerReferences" not in used["metadata"], "it would be deleted with the Microservice"
    assert give_back(store)
    after = store.at(SERVICE, "orders")
    assert {name: each for name, each in after["spec"].items() if each} == before["spec"]
    assert after["metadata"] == before["metadata"]
    assert not give_back(store), "once is enough"


def test_a_deployment_that_is_lent_serves_as_adopted_and_gets_its_size_back():
    store = ObjectStore()
    before = copy.deepcopy(store.put(DEPLOYMENT, "hello", {"replicas": 4}))
    spec = wanted(adopt={"deployments": ["hello"]})
    assert borrow(store, spec).taken
    assert ADOPTED_LABEL in store.at(DEPLOYMENT, "hello")["metadata"]["labels"]
    assert not borrow(store, spec).taken

    asyncio.run(store.merge(DEPLOYMENT, "shop", "hello", {"spec": {"replicas": 0}}))
    assert give_back(store)

    after = store.at(DEPLOYMENT, "hello")
    assert after["spec"] == before["spec"]
    assert not after["metadata"]["labels"]


def test_what_is_made_new_never_overwrites_what_was_not_seen():
    store = ObjectStore()
    store.put(SERVICE, "orders-preview", THEIRS)
    store.put(DISRUPTION_BUDGET, "orders", {"maxUnavailable": 0})

    for kind, made in (
        (SERVICE, manifests.preview_service(OWNER, None, wanted().ports)),
        (DISRUPTION_BUDGET, manifests.disruption_budget(OWNER, "0a1b2c3d")),
    ):
        with pytest.raises(NotOurs, match="belongs to"):
            asyncio.run(apply_child(store, kind, "shop", made, there=None, owner=OWNER))
    assert store.writes == []


def test_a_child_of_ours_that_leads_elsewhere_is_led_back():
    store = ObjectStore()
    made = manifests.preview_service(OWNER, None, wanted().ports)
    diverted = made["spec"] | {
        "type": "ExternalName",
        "externalName": "other-team.svc",
        "publishNotReadyAddresses": True,
    }
    there = store.put(SERVICE, "orders-preview", diverted, ownerReferences=[OWNER.reference()])

    asyncio.run(apply_child(store, SERVICE, "shop", made, there=there, owner=OWNER))

    after = store.at(SERVICE, "orders-preview")["spec"]
    assert after == made["spec"] | {"type": "ClusterIP"}


def test_the_label_of_a_restored_child_is_enough_and_that_of_anothers_child_is_not():
    labels = {SERVICE_LABEL: "orders"}
    other = manifests.Owner("users", "other").reference()

    assert is_ours({"metadata": {"labels": labels}}, OWNER)
    assert not is_ours({"metadata": {"labels": labels, "ownerReferences": [other]}}, OWNER)
    assert not is_ours({"metadata": {}}, OWNER)
    assert not is_lent({"metadata": {"labels": labels}})
    assert other["kind"] == MICROSERVICE.name
