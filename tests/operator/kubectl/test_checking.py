"""What a Deployment lacks is told before anything is changed."""

import pytest

from slipway_operator.kubectl.checking import check
from slipway_operator.runtimes.kubernetes.api.kinds import CLOSES_CONNECTIONS

LABELS = {"app": "hello"}
GOOD = {
    "name": "main",
    "image": "team/hello:1.0",
    "ports": [{"name": "http", "containerPort": 5000}, {"name": "admin", "containerPort": 9100}],
    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
    "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
}


def deployment(**container):
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [GOOD | container]}}
    return {"metadata": {"name": "hello", "labels": {"app.kubernetes.io/managed-by": "Tilt"}},
            "spec": {"template": template}}  # fmt: skip


def service(target="http", **spec):
    port = {"name": "http", "port": 80, "targetPort": target}
    return {"metadata": {"name": "hello", "annotations": {"meta.helm.sh/release-name": "web"}},
            "spec": {"selector": LABELS, "ports": [port]} | spec}  # fmt: skip


def scaler(name="hello"):
    return {"metadata": {"name": "by-cpu"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": name}}}


def told(found, level):
    return [f"{each.about}: {each.sentence}" for each in found if each.level == level]


def test_a_deployment_that_has_all_lacks_nothing():
    found = check(deployment(), [service()], [scaler("other")])

    assert told(found, "missing") == []
    service_note, clients_note = told(found, "note")
    assert service_note.startswith("service: Service hello is of Helm release web: call the Microservice hello")
    assert service_note.endswith("take it out of that chart")
    assert clients_note.startswith("clients: after a switch former pods are replaced")


def test_who_closes_connections_by_itself_is_told_nothing_of_it():
    made = deployment()
    made["spec"]["template"]["metadata"]["annotations"] = {CLOSES_CONNECTIONS: "true"}

    assert [each.about for each in check(made, [service()], []) if each.level == "note"] == ["service"]


@pytest.mark.parametrize(("container", "words"), [
    ({"ports": [{"containerPort": 5000}]}, "ports: no container has a port called http, which port 80 leads to"),
    ({"readinessProbe": None}, "readiness: no container has a readinessProbe"),
    ({"lifecycle": None}, "preStop: no container has lifecycle.preStop"),
    ({"image": "team/hello"}, "image: team/hello can change"),
    ({"image": "registry:5000/hello:latest"}, "image: registry:5000/hello:latest can change"),
])  # fmt: skip
def test_what_is_missing_is_told_with_its_cure(container, words):
    [said] = told(check(deployment(**container), [service()], []), "missing")

    assert said.startswith(words)


def test_an_autoscaler_of_the_deployment_is_told():
    [said] = told(check(deployment(), [], [scaler()]), "missing")

    assert said.startswith("autoscaler: HorizontalPodAutoscaler by-cpu scales this Deployment")


def test_a_target_by_number_is_told_as_the_microservice_needs_it():
    notes = told(check(deployment(), [service(5000)], []), "note")

    assert (
        "ports: port 80 leads to 5000: set {name: http, port: 80, targetPort: 5000} in the Microservice's ports"
        in notes
    )


def test_a_service_that_cannot_be_handed_over_and_an_owner_are_told():
    owned = deployment()
    owned["metadata"]["ownerReferences"] = [{"kind": "Rollout", "name": "web", "controller": True}]

    assert told(check(owned, [service(clusterIP="None")], []), "missing") == [
        "owner: Rollout web makes it again: take it away from there first",
        "service: Service hello can't be handed over: it is headless",
    ]


def test_configuration_without_a_checksum_and_no_admin_port_are_notes():
    made = deployment(envFrom=[{"configMapRef": {"name": "hello"}}], ports=[{"name": "http", "containerPort": 1}])

    notes = told(check(made, [], []), "note")

    assert [each.partition(":")[0] for each in notes] == ["service", "configuration", "clients", "gates"]
