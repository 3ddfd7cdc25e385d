"""A version counts by what its clients reach: ready pods behind a port that leads nowhere are none."""

import pytest

from slipway_operator.planning.facts import Facts
from slipway_operator.planning.observed import ANY
from slipway_operator.runtimes.kubernetes.objects import manifests
from slipway_operator.spec.microservice import MicroserviceSpec
from slipway_operator.spec.serviceversion import ServiceVersionSpec

from .test_observing import NEW, OWNER, RELEASE, Objects


class Served(Objects):
    """Of a version whose containers and ports are given."""

    def __init__(self, ports, **containers):
        super().__init__()
        components = {
            name: {"template": {"spec": {"containers": [{"name": "main", "image": "a:1", "ports": listed}]}}}
            for name, listed in (containers or {"http": [{"containerPort": 5000}]}).items()
        }
        self.spec = MicroserviceSpec.model_validate({"version": "1.0", "components": components, "ports": ports})
        self.version(NEW)

    def seen_at(self, *ports, component="http"):
        self.active_endpoints(f"orders-{NEW}", self.pod(NEW, component), ports=ports)
        return self

    @property
    def view(self):
        return self.observe(Facts(release=RELEASE)).versions[NEW]


def test_ready_pods_behind_a_port_that_leads_nowhere_are_no_endpoints_and_the_reason_is_said():
    view = Served([{"name": "http", "port": 80}]).seen_at().view

    assert view.endpoints == 0
    assert view.serving["http"].ready == 1
    assert view.problem.message.startswith("no container has a port called http")


def test_a_port_that_vanishes_among_others_makes_the_version_unreachable():
    ports = [{"name": "http", "port": 80}, {"name": "metrics", "port": 9000}]
    view = Served(ports, http=[{"name": "http", "containerPort": 5000}]).seen_at("http").view

    assert view.endpoints == 0
    assert "a port called metrics" in view.problem.message


def test_a_slice_without_the_port_does_not_count_while_the_pod_says_it_has_it():
    world = Served([{"name": "http", "port": 80}], http=[{"name": "http", "containerPort": 5000}]).seen_at()

    assert world.view.endpoints == 0
    assert world.seen_at("http").view.endpoints == 1


@pytest.mark.parametrize("target", [5000, "web"])
def test_a_target_port_by_number_or_name_is_what_counts(target):
    port = {"name": "http", "port": 80, "targetPort": target}
    view = Served([port], http=[{"name": "web", "containerPort": 5000}]).seen_at("http").view

    assert (view.endpoints, view.problem) == (1, None)


def test_components_with_ports_of_their_own_count_each_by_its_port():
    ports = [{"name": "http", "port": 80}, {"name": "grpc", "port": 9090}]
    own = {name: [{"name": name, "containerPort": 8000}] for name in ("http", "grpc")}
    world = Served(ports, **own).seen_at("http", component="http")

    assert world.view.problem is None, "no pod of grpc is there yet: nobody knows"
    view = world.seen_at("grpc", component="grpc").view
    assert (view.serving["http"].endpoints, view.serving["grpc"].endpoints, view.problem) == (1, 1, None)


def test_a_component_without_any_port_of_the_service_is_named():
    world = Served([{"name": "http", "port": 80}], http=[{"name": "http", "containerPort": 1}], grpc=[])
    view = world.seen_at("http").seen_at(component="grpc").view

    assert view.endpoints == 0
    assert "of its grpc pods" in view.problem.message


def test_a_port_of_a_sidecar_or_of_an_injected_container_counts():
    world = Served([{"name": "http", "port": 80}]).seen_at("http")
    sidecar = {"name": "proxy", "restartPolicy": "Always", "ports": [{"name": "http", "containerPort": 15000}]}
    world.pods[0]["spec"] = world.pods[0]["spec"] | {"initContainers": [sidecar]}

    assert world.view.endpoints == 1


def test_the_active_service_of_an_unreachable_version_has_no_endpoints():
    world = Served([{"name": "http", "port": 80}])
    world.active(NEW).active_endpoints("orders", world.pod(NEW), ports=())

    assert not world.observe().active_endpoints


TARGETS = [({}, "http"), ({"targetPort": 5000}, 5000), ({"targetPort": "web"}, "web")]


@pytest.mark.parametrize(("given", "made"), TARGETS)
def test_the_services_lead_to_the_target_port_and_its_absence_is_the_name(given, made):
    spec = MicroserviceSpec.model_validate(
        {"version": "1", "components": Objects().spec.model_dump(by_alias=True)["components"],
         "ports": [{"name": "http", "port": 80} | given]}
    )  # fmt: skip
    record = ServiceVersionSpec.model_validate(manifests.service_version(OWNER, spec, NEW, 1)["spec"])

    for service in (
        manifests.active_service(OWNER, NEW, spec.ports),
        manifests.preview_service(OWNER, NEW, spec.ports),
        manifests.version_service(OWNER, record),
    ):
        assert [port["targetPort"] for port in service["spec"]["ports"]] == [made]


class TestSlicesThatLag:
    """The endpoints controller lets a second pass between two writes for one Service; pods are ready before that."""

    @pytest.fixture(name="world")
    def _world(self):
        port = {"name": "http", "containerPort": 5000}
        world = Served([{"name": "http", "port": 80}], http=[port]).seen_at("http")
        world.pod(NEW, "http")
        return world

    def test_a_ready_pod_beside_one_that_is_reached_counts(self, world):
        assert world.view.endpoints == 2

    def test_one_that_is_not_ready_or_ends_does_not(self, world):
        world.pod(NEW, "http", ready=False)
        world.pod(NEW, "http", deletionTimestamp="2026-01-05T11:30:00Z")
        assert world.view.endpoints == 2

    def test_a_slice_that_has_the_pod_as_not_ready_yet_says_where_its_ports_lead(self, world):
        world.slices.clear()
        world.active_endpoints(f"orders-{NEW}", world.pods[0], ports=["http"], ready=False)
        assert world.view.endpoints == 2

    def test_none_counts_before_one_stands_in_a_slice(self, world):
        world.slices.clear()
        assert world.view.endpoints == 0

    def test_one_that_lacks_the_port_of_the_others_does_not(self, world):
        world.pods[-1]["spec"] = {"containers": [{"name": "main"}]}
        assert world.view.endpoints == 1

    def test_slices_alone_count_while_they_bring_the_requests(self, world):
        assert world.active(ANY).view.endpoints == 1

    def test_what_is_behind_the_active_service_is_in_its_slices(self, world):
        world.active(NEW).active_endpoints("orders", world.pods[0], ports=["http"])
        assert world.observe().active_endpoints == {NEW: 1}
