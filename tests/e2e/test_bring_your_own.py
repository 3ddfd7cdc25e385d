"""Other people's applications: taken over, released, taken back and given back under load; every client follows."""

import os

import pytest

from slipway_chassis.testing.plugin import eventually
from slipway_operator.kubectl.adoption_commands import orphan
from slipway_operator.kubectl.check_command import check
from slipway_operator.kubectl.write_commands import retry, rollback
from support.kind import plain_apps
from support.kind.plain_apps import Clients, Switches, accepted, apply, get, kubectl, microservice, slipway

pytestmark = [pytest.mark.e2e, pytest.mark.load, pytest.mark.timeout(3600)]
RELEASES = int(os.environ.get("RELEASES_EACH", "1"))
ROLLBACKS = max(RELEASES // 2, 1)


@pytest.fixture(scope="module", name="namespace", autouse=True)
def _namespace(operator):
    plain_apps.started()
    yield
    kubectl("delete", "namespace", plain_apps.NAMESPACE, "--timeout=180s")


@pytest.fixture(params=["written-by-hand", pytest.param("helm-create", marks=pytest.mark.soak)], name="app")
def _app(request, tmp_path):
    """Its name and the port of its Service."""
    if request.param == "helm-create":
        plain_apps.made_by_helm_create("created", tmp_path)
        name, port = "created", 8000
    else:
        plain_apps.written_by_hand("byhand")
        name, port = "byhand", 80
    kubectl("rollout", "status", f"deployment/{name}", "--timeout=180s")
    return name, port


def test_every_client_follows_each_switch_and_no_request_is_lost(app):
    name, port = app
    said, error = slipway(check, f"deployment/{name}")
    assert error is None, said

    releases = []  # that clients are to come to, one after the other
    with Clients(name, port) as clients, Switches(name) as switches:
        adopted = {"services": [name], "deployments": [name]}
        apply(microservice(name, 0, adopt=adopted))
        releases += [switched(name, 0, clients)]
        for release in range(1, RELEASES + 1):
            apply(microservice(name, release, adopt=adopted))
            releases += [switched(name, release, clients)]
        for _ in range(ROLLBACKS):
            done(rollback, name)
            releases += [switched(name, RELEASES - 1, clients)]
            done(retry, name)
            releases += [switched(name, RELEASES, clients)]
        apply(microservice(name, RELEASES, adopt=adopted, strategy={"scaleDownDelaySeconds": 0}))
        eventually(lambda: get("microservice", name)["status"]["phase"] == "Released", within=120)
        done(orphan, name)
        kubectl("scale", f"deployment/{name}", "--replicas=2")
        kubectl("rollout", "status", f"deployment/{name}", "--timeout=180s")
        done(orphan, name, "--clean", "--deployment", name)
        eventually(lambda: switches.seen[-1][1] is None, within=120)
        eventually(lambda: clients.all_are_told("none"), within=120)
        releases += ["none"]

    moments = [moment for moment, version in switches.seen[1:]]
    assert len(moments) == len(releases), (switches.seen, releases)
    waited = [clients.came(release, moment) for release, moment in zip(releases, moments, strict=True)]
    print(f"\n  {sum(clients.answers.values())} requests; the last client came after", end=" ")
    print(", ".join(f"{max(each.values(), default=-1):.1f}" for each in waited), "s")
    assert clients.failures[:20] == []
    assert clients.answers.keys() == {"200"}
    everybody = [Clients.NUMBER] * len(releases)
    assert [len(each) for each in waited] == everybody, "each client came to each version"


def done(command, *arguments):
    said, error = slipway(command, *arguments)
    assert error is None, (said, error)


def switched(name, release, clients):
    """Until the former version's pods are replaced, with them the connections that clients keep, and each came."""
    eventually(lambda: accepted(name) and active_release(name) == str(release), within=300, every=0.3)
    eventually(lambda: former_pods_are_replaced(name), within=120, every=0.3)
    eventually(lambda: clients.all_are_told(str(release)), within=60, every=0.3)
    return str(release)


def active_release(name):
    [found] = versions_of(name, get("microservice", name)["status"]["activeVersion"])
    [container] = found["spec"]["template"]["spec"]["containers"]
    return container["env"][0]["value"]


def versions_of(name, version=None):
    of_version = f"slipway.dev/version={version}" if version else "slipway.dev/version"
    return get("deployments", "-l", f"slipway.dev/microservice={name},{of_version}")["items"]


def former_pods_are_replaced(name):
    active = get("microservice", name)["status"]["activeVersion"]
    former = [each for each in versions_of(name) if each["metadata"]["labels"]["slipway.dev/version"] != active]
    noted = [each["metadata"].get("annotations", {}).get("slipway.dev/renewed") for each in former]
    pods = get("pods", "-l", f"slipway.dev/microservice={name}")["items"]
    return all(noted) and len(pods) == sum(each["spec"]["replicas"] for each in versions_of(name))
