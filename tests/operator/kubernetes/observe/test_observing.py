"""From objects to what the planner sees."""

import json
from datetime import UTC, datetime

import pytest

from slipway_operator.planning.facts import Facts, OpenRelease, Stage
from slipway_operator.planning.observed import ANY, GateState, GateView, GroupView, JobState, JobView
from slipway_operator.runtimes.kubernetes.api.kinds import CLOSES_CONNECTIONS, DRAINING_LABEL, RENEWED, SERVICE_LABEL
from slipway_operator.runtimes.kubernetes.objects import manifests
from slipway_operator.runtimes.kubernetes.observe.cluster_snapshot import ClusterSnapshot
from slipway_operator.runtimes.kubernetes.observe.endpoints import SERVICE_OF_SLICE
from slipway_operator.runtimes.kubernetes.observe.jobs import GATE_RESULT, gate_view, kept_result
from slipway_operator.runtimes.kubernetes.observe.observing import observed
from slipway_operator.spec.gates import JobGate
from slipway_operator.spec.microservice import MicroserviceSpec
from slipway_operator.spec.serviceversion import ServiceVersionSpec

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
OLD, NEW = "aaaaaaaa", "bbbbbbbb"
OWNER = manifests.Owner("orders", "uid")
POD = {"spec": {"containers": [{"name": "main", "image": "shop/orders:1.0",
                                "ports": [{"name": "http", "containerPort": 8000}]}]}}  # fmt: skip
RELEASE = OpenRelease(NEW, "Release", 1, "cccccccc", NOW, Stage.STARTING, NOW)


class Objects:
    """What an API server would list, made of the operator's own manifests."""

    def __init__(self, *components):
        self.spec = MicroserviceSpec.model_validate(
            {"version": "1.0", "components": {name: {"template": POD} for name in components or ("http",)},
             "events": {"group": "orders"}, "migrations": {"expand": POD}}
        )  # fmt: skip
        self.versions, self.records = {}, {}
        self.deployments, self.services, self.pods, self.slices, self.jobs = {}, {}, [], [], []

    def version(self, version, replicas=1):
        made = manifests.service_version(OWNER, self.spec, version, len(self.records) + 1)
        self.versions[version] = made
        record = self.records[version] = ServiceVersionSpec.model_validate(made["spec"])
        for component in record.components:
            deployment = manifests.deployment(OWNER, record, component, replicas)
            self.deployments[deployment["metadata"]["name"]] = deployment
        return self

    def service(self, made):
        self.services[made["metadata"]["name"]] = made
        return self

    def active(self, version):
        return self.service(manifests.active_service(OWNER, version, self.spec.ports))

    def pod(self, version, component="http", *, ready=True, **metadata):
        template = manifests.deployment(OWNER, self.records[version], component, 1)["spec"]["template"]
        name = f"orders-{version}-{component}-{len(self.pods)}"
        labels = template["metadata"]["labels"] | metadata.pop("labels", {})
        made = {
            "metadata": {"name": name, "labels": labels, "creationTimestamp": "2026-01-05T11:00:00Z"} | metadata,
            "spec": template["spec"],
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
        }
        self.pods.append(made)
        return made

    def active_endpoints(self, service, *pods, ready=True, ports=("http",)):
        endpoints = [{"targetRef": {"name": pod["metadata"]["name"]}, "conditions": {"ready": ready}} for pod in pods]
        labels = {SERVICE_OF_SLICE: service}
        ports = [{"name": name, "port": 8000} for name in ports] or None  # as the API server writes none
        self.slices.append({"metadata": {"labels": labels}, "ports": ports, "endpoints": endpoints})

    def seen(self):
        microservice = {"metadata": {"name": "orders", "uid": "uid"}}
        return ClusterSnapshot(
            microservice, self.versions, self.records, self.deployments, self.services, {}, self.pods, self.slices,
            self.jobs,
        )  # fmt: skip

    def observe(self, facts=Facts(), group=None):  # noqa: B008 # it can't be changed
        return observed(self.seen(), facts, group)


def test_nothing_is_there_before_the_first_release():
    seen = Objects().observe()

    assert (seen.versions, seen.active, seen.preview, seen.active_endpoints, seen.group) == ({}, None, None, {}, None)


def test_a_version_is_as_ready_as_its_endpoints():
    world = Objects("http", "grpc").version(OLD, replicas=2)
    http, grpc, late = world.pod(OLD), world.pod(OLD, "grpc"), world.pod(OLD, ready=False)
    world.active_endpoints(f"orders-{OLD}", http, grpc)
    world.active_endpoints(f"orders-{OLD}", http)  # the other address family
    world.active_endpoints(f"orders-{OLD}", late, ready=False)

    view = world.observe().versions[OLD]

    assert view.serving["http"].wanted == 2
    assert (view.serving["http"].pods, view.serving["http"].ready, view.serving["http"].endpoints) == (2, 1, 1)
    assert view.endpoints == 1


def test_pods_that_end_still_count_and_pods_that_ended_do_not():
    world = Objects("http", "consumer").version(OLD)
    world.pod(OLD, "consumer", deletionTimestamp="2026-01-05T11:30:00Z")
    world.pod(OLD, "consumer")["status"]["phase"] = "Failed"

    consumer = world.observe().versions[OLD].workers["consumer"]

    assert (consumer.pods, consumer.ready, consumer.endpoints) == (1, 0, 0)


def test_a_recorded_version_without_deployments_has_zeros():
    world = Objects().version(OLD)
    world.deployments.clear()

    assert world.observe().versions[OLD].serving["http"].wanted == 0


@pytest.mark.parametrize(("selected", "active"), [(OLD, OLD), (ANY, ANY), (manifests.NOTHING, manifests.NOTHING)])
def test_the_active_version_is_what_the_service_selects(selected, active):
    assert Objects().version(OLD).active(selected).observe().active == active


def test_a_selector_of_somebody_else_is_no_version():
    world = Objects().version(OLD).active(OLD)
    world.services["orders"]["spec"]["selector"] = {"app": "orders"}

    assert world.observe().active == "?"


def test_grpc_clients_may_still_be_sent_to_the_former_version():
    world = Objects("grpc").version(OLD).version(NEW).active(NEW)
    assert world.observe().active_split
    world.service(manifests.pods_service(OWNER, OLD, world.spec.ports))
    assert world.observe().active_split
    world.service(manifests.pods_service(OWNER, NEW, world.spec.ports))
    assert not world.observe().active_split


class TestComponentThatLeaves:
    """One version has gRPC, and the one that becomes active has not."""

    @pytest.fixture(name="world")
    def _world(self):
        world = Objects("http", "grpc").version(OLD)
        world.spec = Objects("http").spec
        world.version(NEW).active(NEW)
        made = manifests.pods_service(OWNER, OLD, world.spec.ports)
        return world.service(made)

    def test_the_headless_service_must_not_go_on_with_the_former_version(self, world):
        assert world.observe().active_split
        world.service(manifests.pods_service(OWNER, manifests.NOTHING, world.spec.ports))
        assert not world.observe().active_split

    def test_a_headless_service_of_somebody_else_is_left_alone(self, world):
        world.services["orders-pods"]["metadata"]["ownerReferences"] = []
        assert not world.observe().active_split

    def test_without_such_a_service_nothing_is_missing(self, world):
        del world.services["orders-pods"]
        assert not world.observe().active_split

    def test_nothing_is_concluded_of_a_version_without_a_record(self, world):
        del world.records[NEW]
        del world.versions[NEW]
        assert not world.observe().active_split


def test_a_record_that_is_deleted_and_kept_by_others_is_forgotten():
    world = Objects().version(OLD)
    world.versions[OLD]["metadata"]["deletionTimestamp"] = "2026-01-05T11:30:00Z"
    assert not world.observe().versions[OLD].forgotten  # a Deployment of it is there
    world.deployments.clear()
    assert world.observe().versions[OLD].forgotten


def test_who_is_behind_the_active_services():
    world = Objects("grpc").version(OLD).version(NEW).active(NEW)
    old, new = world.pod(OLD, "grpc"), world.pod(NEW, "grpc")
    world.active_endpoints("orders", new)
    world.active_endpoints("orders-pods", new, old)

    assert world.observe().active_endpoints == {OLD: 1, NEW: 1}


def test_a_closed_preview_is_none():
    world = Objects().version(OLD)
    assert world.service(manifests.preview_service(OWNER, None, world.spec.ports)).observe().preview is None
    assert world.service(manifests.preview_service(OWNER, OLD, world.spec.ports)).observe().preview == OLD


def test_a_crash_loop_is_a_problem_since_the_pod_was_ready():
    world = Objects().version(NEW)
    pod = world.pod(NEW, ready=False)
    pod["status"]["containerStatuses"] = [{"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "exit 1"}}}]
    assert world.observe().versions[NEW].problem.since == datetime(2026, 1, 5, 11, tzinfo=UTC)

    pod["status"]["conditions"][0]["lastTransitionTime"] = "2026-01-05T11:30:00Z"
    problem = world.observe().versions[NEW].problem

    assert problem.reason == "CrashLoopBackOff"
    assert "exit 1" in problem.message
    assert problem.since == datetime(2026, 1, 5, 11, 30, tzinfo=UTC)


def test_a_quota_is_a_problem_and_a_pod_without_a_node_is_none():
    world = Objects().version(NEW)
    world.pod(NEW, ready=False)["status"]["conditions"].append(
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    )
    assert world.observe().versions[NEW].problem is None

    world.deployments[f"orders-{NEW}-http"]["status"] = {
        "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota",
                        "lastTransitionTime": "2026-01-05T11:00:00Z"}]
    }  # fmt: skip
    assert world.observe().versions[NEW].problem.message == "quota"


def test_half_a_drain_counts_where_it_hurts():
    """A version that is asked must have no mark; one that is not needed has to have all."""
    world = Objects().version(OLD).version(NEW).active(NEW)
    for version in (OLD, NEW):
        world.pod(version, labels={DRAINING_LABEL: "true"})
        world.pod(version)

    assert not world.observe().versions[OLD].draining
    assert world.observe().versions[NEW].draining
    world.active(OLD)
    assert world.observe(Facts(release=RELEASE)).versions[NEW].draining


def test_pods_close_connections_where_their_template_says_so():
    """Of http and grpc both: what one of them does says nothing of the other."""
    world = Objects("http", "grpc", "consumer").version(OLD)
    templates = [world.deployments[f"orders-{OLD}-{name}"]["spec"]["template"] for name in ("http", "grpc")]
    for template in templates:
        assert not world.observe().versions[OLD].closes_connections
        template["metadata"]["annotations"] = {CLOSES_CONNECTIONS: "true"}
    assert world.observe().versions[OLD].closes_connections
    templates[0]["metadata"]["annotations"] = {CLOSES_CONNECTIONS: "false"}
    assert not world.observe().versions[OLD].closes_connections


def test_half_a_renewal_counts_where_it_hurts():
    world = Objects("http", "grpc").version(OLD).version(NEW).active(NEW)
    for version in (OLD, NEW):
        world.deployments[f"orders-{version}-http"]["metadata"]["annotations"] = {RENEWED: "2026-01-05T11:00:00Z"}
    assert not world.observe().versions[OLD].renewed
    assert world.observe().versions[NEW].renewed


def test_the_latest_attempt_of_a_migration_counts():
    world = Objects().version(NEW)
    first, second = (manifests.migration_job(OWNER, world.records[NEW], "expand", n, 60) for n in (1, 2))
    first["status"] = {"conditions": [{"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}]}
    world.jobs = [second, first]
    assert world.observe().migrations == {(NEW, "expand"): JobView(JobState.RUNNING, 2)}

    world.jobs = [first]
    view = world.observe().migrations[NEW, "expand"]
    assert (view.state, view.message) == (JobState.FAILED, "BackoffLimitExceeded")


def test_a_job_that_is_about_to_fail_still_runs():
    world = Objects().version(NEW)
    job = manifests.migration_job(OWNER, world.records[NEW], "expand", 1, 60)
    job["status"] = {"conditions": [{"type": "FailureTarget", "status": "True"}]}
    world.jobs = [job]

    assert world.observe().migrations[NEW, "expand"].state is JobState.RUNNING


def test_gates_are_jobs_or_results_in_the_record():
    world = Objects().version(NEW)
    gate = JobGate.model_validate({"template": POD})
    job = manifests.gate_job(
        OWNER, NEW, "tests", gate, attempt=2, run=3, first_started=NOW.isoformat(), deadline_seconds=9, preview_url="u"
    )
    job["metadata"]["creationTimestamp"] = "2026-01-05T12:00:00Z"
    job["status"] = {"conditions": [{"type": "Complete", "status": "True",
                                     "lastTransitionTime": "2026-01-05T12:01:00Z"}]}  # fmt: skip
    world.jobs = [job]
    smoke = GateView(GateState.INCONCLUSIVE, 2, 1, NOW, NOW, NOW, "no data")
    world.versions[NEW]["metadata"]["annotations"] = {GATE_RESULT + "smoke": kept_result(smoke), "other": "x"}

    gates = world.observe().gates

    assert gates[NEW, "smoke"] == smoke
    tests = gates[NEW, "tests"]
    assert (tests.state, tests.attempt, tests.run, tests.first_started) == (GateState.PASSED, 2, 3, NOW)
    assert tests.finished == datetime(2026, 1, 5, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("newer", ["job", "result"])
def test_the_highest_attempt_and_run_of_a_gate_counts_wherever_it_is_kept(newer):
    """A gate that becomes one of another type leaves its former runs behind."""
    world = Objects().version(NEW)
    gate = JobGate.model_validate({"template": POD})
    job = manifests.gate_job(
        OWNER, NEW, "smoke", gate, attempt=2, run=1, first_started=NOW.isoformat(), deadline_seconds=9, preview_url="u"
    )
    job["metadata"]["creationTimestamp"] = NOW.isoformat()
    job["status"] = {"conditions": [{"type": "Failed", "status": "True", "message": "1"}]}
    world.jobs = [job]
    kept = GateView(GateState.PASSED, 2 if newer == "result" else 1, 2, NOW, NOW, NOW)
    world.versions[NEW]["metadata"]["annotations"] = {GATE_RESULT + "smoke": kept_result(kept)}

    found = world.observe().gates[NEW, "smoke"]

    assert found.state is (GateState.PASSED if newer == "result" else GateState.FAILED)


@pytest.mark.parametrize(
    "note",
    [
        {"slipway.dev/attempt": "9" * 30},
        {"slipway.dev/run": "²"},
        {"slipway.dev/first-started": "soon"},
        {"slipway.dev/started": "now"},
    ],
    ids=str,
)
def test_no_note_that_somebody_edited_on_a_job_ends_a_look(note):
    world = Objects().version(NEW)
    gate = JobGate.model_validate({"template": POD})
    job = manifests.gate_job(
        OWNER, NEW, "smoke", gate, attempt=2, run=1, first_started=NOW.isoformat(), deadline_seconds=9, preview_url="u"
    )
    job["metadata"]["creationTimestamp"] = NOW.isoformat()
    job["metadata"]["annotations"] |= note
    world.jobs = [job]

    found = world.observe().gates.get((NEW, "smoke"))
    assert found is None or max(found.attempt, found.run) < 10**9


@pytest.mark.parametrize("kept", ['{"state": "Passed", "attempt": "2"}', '{"attempt": 1e40}', "[]", "no JSON"])
def test_a_kept_result_that_can_not_be_read_is_none(kept):
    world = Objects().version(NEW)
    world.versions[NEW]["metadata"]["annotations"] = {GATE_RESULT + "smoke": kept}

    assert world.observe().gates == {}


def test_a_result_is_read_as_it_was_kept():
    view = GateView(GateState.FAILED, 1, 2, NOW, NOW, NOW, "answered 500")
    assert gate_view(json.loads(kept_result(view))) == view


def test_the_group_is_of_interest_with_a_consumer_alone():
    group = GroupView(members={OLD: 1})
    assert Objects().version(OLD).observe(group=group).group is None
    assert Objects("http", "consumer").version(OLD).observe(group=group).group == group


def test_a_retired_version_says_why():
    world = Objects().version(OLD)
    world.versions[OLD]["status"] = {"retired": "its column is gone"}

    assert world.observe().versions[OLD].retired == "its column is gone"
    assert SERVICE_LABEL in world.versions[OLD]["metadata"]["labels"]
