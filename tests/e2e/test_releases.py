"""Releases by the operator, on a real cluster and under load: nothing fails or is lost, and it goes back by itself.

Users and orders are managed by the operator; a new version is the same image with another variable. RELEASES_EACH (1)
releases of each service by each strategy; SHARE_OF_LOAD=1 RELEASES_EACH=10 is what a machine of its own can do.
"""

import copy
import os
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind.api import Watch
from support.kind.commands import CONTEXT, NAMESPACE, NODE, OPERATOR_NAMESPACE, RELEASE, helm, in_node, kubectl, left
from support.kind.microservice import QUICK, RELEASE_SECONDS, ROLLING, Microservice, switched_at
from support.kind.traffic import assert_no_event_was_lost_doubled_or_misordered, traffic
from support.tools import TOOLS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

RELEASES_EACH = int(os.environ.get("RELEASES_EACH", "1"))
QUIET_SECONDS = 5


@pytest.fixture(scope="module", name="services")
def _services(api, managed):
    return [Microservice(api, NAMESPACE, name) for name in managed]


@pytest.fixture(name="orders")
def _orders(services):
    [found] = [each for each in services if each.name.endswith("orders")]
    return found


@pytest.fixture(name="users")
def _users(services):
    [found] = [each for each in services if each.name.endswith("users")]
    return found


@pytest.fixture(scope="module", name="switches")
def _switches(api):
    with Watch(api, f"/api/v1/namespaces/{NAMESPACE}/services") as watch:
        yield watch


def release_and_follow(service, switches, strategy):
    """Seconds from the patch to the switch, from there to the former version's last answer, and in all."""
    former, began, last = service.active, time.time(), 0.0
    generation = service.release(**strategy)

    def over():
        nonlocal last
        if service.active != former:
            last = max(last, service.last_answer_of(former))
        return service.settled(generation)

    status = eventually(over, within=RELEASE_SECONDS, every=0.5)
    assert status["activeVersion"] == service.selected() != former
    switched = switched_at(switches, service, status["activeVersion"])
    return switched - began, last - switched if last > switched else 0.0, time.time() - began


def release_again_and_again(service, switches, strategy, times):
    return [release_and_follow(service, switches, strategy) for _ in range(times)]


@pytest.mark.soak
@pytest.mark.parametrize("strategy", [pytest.param(QUICK, id="BlueGreen"), pytest.param(ROLLING, id="Rolling")])
def test_releases_under_load(strategy, services, switches, auditor):
    with traffic() as flowing, ThreadPoolExecutor(len(services)) as pool:
        runs = [pool.submit(release_again_and_again, each, switches, strategy, RELEASES_EACH) for each in services]
        found = [release for each in runs for release in each.result()]
    switching, late, whole = zip(*found, strict=True)
    print(
        f"  {len(found)} releases of {strategy['type']}: switched {told(switching)} after the patch, over {told(whole)}"
    )
    print(f"  the former version's last answer {told(late)} after the switch")
    assert_no_event_was_lost_doubled_or_misordered(auditor, flowing)


def told(seconds):
    return f"{statistics.median(seconds):.1f} s (at most {max(seconds):.1f})"


@pytest.mark.soak
def test_requests_follow_the_switch_although_the_former_version_is_still_up(users, switches):
    """Kept-alive clients included: the former version's pods are there, and are not asked any more."""
    with traffic():
        former = users.active
        generation = users.release(**QUICK | {"scaleDownDelaySeconds": 60})
        users.reaches(generation, "Watching", "Draining")
        pods = [pod["metadata"]["name"] for pod in users.pods(former)]

        eventually(lambda: time.time() - users.last_answer_of(former) > QUIET_SECONDS, within=40, every=0.5)

        last = users.last_answer_of(former)
        alive = [pod["metadata"]["name"] for pod in users.pods(former) if "deletionTimestamp" not in pod["metadata"]]
        assert alive == pods != []
    print(f"  its last answer {last - switched_at(switches, users, users.active):.1f} s after the switch")
    users.wait(users.change(lambda spec: spec.update(strategy=QUICK)))


# --- versions that are no good
def serving(spec):
    [container] = spec["components"]["http"]["template"]["spec"]["containers"]
    return container


def crashes(spec):
    serving(spec)["env"].append({"name": "HTTP_PORT", "value": "none"})


def is_never_ready(spec):
    serving(spec)["readinessProbe"]["httpGet"]["path"] = "/nowhere"
    spec["strategy"]["progressDeadlineSeconds"] = 15


def has_no_image(spec):
    serving(spec).update(image="slipway/orders:absent", imagePullPolicy="Never")


def fails_its_gate(spec):
    serving(spec)["env"].append({"name": "WITH_A_GATE", "value": "yes"})
    spec["gates"] = [{"name": "smoke", "type": "http", "http": {"path": "/nowhere"}, "timeoutSeconds": 60}]


def fails_to_migrate(spec):
    template = copy.deepcopy(spec["components"]["http"]["template"])
    [container] = template["spec"]["containers"]
    for name in ("args", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports"):
        container.pop(name, None)
    container["command"] = ["python", "-c", "raise SystemExit('the table is locked')"]
    template["spec"]["restartPolicy"] = "Never"
    spec["migrations"] = {"expand": template, "deadlineSeconds": 15}


def goes_back(service, break_it, reason):
    former, spec = service.active, service.get()["spec"]
    began = time.monotonic()
    try:
        status = service.wait(service.change(break_it), "Failed")

        print(f"\n  {service}: {break_it.__name__}: back after {time.monotonic() - began:.0f} s: {status['blockedBy']}")
        held = status["heldVersion"]
        assert held["reason"] == reason
        assert held["version"] in status["blockedBy"]
        assert status["activeVersion"] == service.selected() == former != held["version"]
        [stalled] = [each for each in status["conditions"] if each["type"] == "Stalled"]
        assert (stalled["status"], stalled["message"] != "") == ("True", True)
        # The status comes first, so that nobody who is killed in between forgets it.
        eventually(lambda: [each for each in service.events("ReleaseFailed") if held["version"] in each])
    finally:
        mended = service.change(lambda broken: (broken.clear(), broken.update(spec)))
    service.wait(mended)
    assert service.active == former


@pytest.mark.soak
def test_versions_that_are_no_good_go_back_by_themselves(users, orders):
    """Each says why in its status and in an Event, and no request fails."""

    def one_after_the_other(service, *broken):
        for break_it, reason in broken:
            goes_back(service, break_it, reason)

    with traffic(), ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(
                one_after_the_other, users,
                (crashes, "CrashLoopBackOff"), (fails_to_migrate, "MigrationFailed"),
            ),
            pool.submit(
                one_after_the_other, orders, (has_no_image, "ErrImageNeverPull"),
                (is_never_ready, "ProgressDeadlineExceeded"), (fails_its_gate, "GateFailed"),
            ),
        ]  # fmt: skip
        for each in runs:
            each.result()


# --- people and machines in the middle of it
@pytest.mark.soak
def test_a_rollback_takes_seconds(users, switches):
    """To a version that is still up, and to one that was scaled down."""
    down = users.active
    with traffic():
        former = users.wait(users.release(**QUICK))["activeVersion"]
        generation = users.release(**QUICK | {"scaleDownDelaySeconds": 120})
        users.reaches(generation, "Draining")
        newest = users.active
        for name, version in (("still up", former), ("scaled down", down)):
            began = time.time()
            generation = users.change(lambda spec, version=version: spec.update(release={"activeVersion": version}))
            eventually(lambda version=version: users.selected() == version, within=RELEASE_SECONDS)
            print(f"\n  rolled back to a version that was {name} in {time.time() - began:.1f} s")
            users.wait(generation)
        users.wait(users.change(lambda spec: spec.update(release={}, strategy=QUICK)))
    assert users.active == newest


def kill_container(container):
    """With -9, so that it can't say goodbye to anybody."""
    in_node("ctr", "-n", "k8s.io", "tasks", "kill", "-s", "KILL", container.rpartition("/")[2])


def leader(api):
    lease = api.get(f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/slipway-operator")
    return lease["spec"]["holderIdentity"]


@pytest.mark.soak
def test_a_killed_leader_is_replaced_in_the_middle_of_a_release(api, services):
    path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"
    with traffic():
        generations = [each.release(**QUICK) for each in services]
        services[0].reaches(generations[0], "Starting", "HandingOver")
        dead = leader(api)
        [container] = api.get(f"{path}/{dead}")["status"]["containerStatuses"]

        kill_container(container["containerID"])
        began = time.monotonic()
        # Its container would be started again under the same name: only another pod shall go on.
        kubectl("delete", "pod", dead, "--grace-period=0", "--force", namespace=OPERATOR_NAMESPACE)

        eventually(lambda: leader(api) not in ("", dead), every=0.2)
        print(f"\n  another replica leads after {time.monotonic() - began:.1f} s")
        for service, generation in zip(services, generations, strict=True):
            service.wait(generation)


@pytest.mark.soak
def test_an_api_server_that_is_killed_delays_a_release_and_fails_nothing(api, services):
    path = f"/api/v1/namespaces/kube-system/pods/kube-apiserver-{NODE}"
    with traffic():
        generations = [each.release(**QUICK) for each in services]
        services[0].reaches(generations[0], "Starting", "HandingOver")
        [container] = api.get(path)["status"]["containerStatuses"]

        kill_container(container["containerID"])

        for service, generation in zip(services, generations, strict=True):
            service.wait(generation)

    def started_anew():
        [now] = api.get(path)["status"]["containerStatuses"]
        return now["containerID"] != container["containerID"]

    eventually(started_anew)


@pytest.mark.soak
def test_a_drained_node_takes_one_pod_after_the_other(users, tmp_path):
    """The budget keeps one pod up while the node takes none; when it does again, the drain goes on."""
    before = {pod["metadata"]["uid"] for pod in users.pods(users.active)}
    selector = f"slipway.dev/microservice={users.name},slipway.dev/serving=true"
    command = [f"{TOOLS}/kubectl", "--context", CONTEXT, "drain", NODE, "--pod-selector", selector,
               "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s"]  # fmt: skip
    said = tmp_path / "drain"
    with traffic() as flowing, said.open("w") as file:
        drain = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            eventually(lambda: "disruption budget" in said.read_text(), within=120)
            flowing.flows()
        finally:
            kubectl("uncordon", NODE)
        assert drain.wait(300) == 0, said.read_text()
        eventually(lambda: len(ready(users)) == len(before), within=120)
    assert not before & {pod["metadata"]["uid"] for pod in ready(users)}


def ready(service):
    def is_ready(pod):
        conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
        return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]

    return [pod for pod in service.pods(service.active) if is_ready(pod)]


@pytest.mark.soak
def test_uninstall_leaves_nothing_of_managed_services(services, auditor):
    kubectl("delete", "pod", auditor, "--grace-period=0", "--force")
    helm("uninstall", RELEASE, "--wait", "--timeout", "5m")

    eventually(lambda: not left(",microservices,serviceversions"), within=120, every=1)
