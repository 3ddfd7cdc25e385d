"""The platform on a real kind cluster: behaviour, a rolling upgrade under load, and a clean end."""

import sys
import urllib.error
import urllib.request
import uuid

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind.commands import (
    GATEWAY,
    NAMESPACE,
    RELEASE,
    get,
    helm,
    in_node,
    kubectl,
    run,
    wait_until_nothing_is_left,
)
from support.load import Load
from support.repository import ROOT
from support.shop import Customer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.usefixtures("installed")]


TEA = {"item": "tea", "quantity": 1, "unit_price_cents": 350}


@pytest.fixture(name="customer")
def _customer():
    return Customer(GATEWAY)


def status_of(path, method="GET", headers=()):
    request = urllib.request.Request(GATEWAY + path, headers=dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def listed(customer):
    return [o["order_id"] for o in customer.call("GET", "/v2/users/me/orders?limit=1000")[1]["orders"]]


def test_helm_test_passes():
    assert "Succeeded" in helm("test", RELEASE)


def test_an_order_travels_through_the_cluster():
    assert "there it is, paid" in run(sys.executable, ROOT / "services" / "story.py", GATEWAY)


def test_the_shop_shows_its_shelves():
    with urllib.request.urlopen(GATEWAY, timeout=20) as answer:
        page = answer.read().decode()

    assert "Difference engine" in page
    assert 'role="status"' not in page, "nothing is missing"


def test_a_visitor_signs_in_through_the_pages(customer):
    """The storefront asks users inside the cluster, by plain HTTP and by the Service's name."""
    assert "Ada" in customer.page_when_signed_in()


def test_the_metrics_api_answers():
    assert "MEMORY" in kubectl("top", "nodes")


def test_the_namespace_enforces_the_restricted_standard():
    labels = get("namespace", NAMESPACE)["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"{", 400),
        (b'{"name": "x", "role": "admin"}', 422),
        (b'"' + b"x" * 1100000 + b'"', 413),
    ],
)
def test_bad_input_is_a_problem_here_too(data, status):
    request = urllib.request.Request(f"{GATEWAY}/v2/users", data, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=20)
    assert error.value.code == status
    assert error.value.headers["Content-Type"] == "application/problem+json"


INTERNAL = [
    "/metrics", "/healthz", "/readyz", "/openapi.json", "/admin", "/stats", "/config_dump", "/quitquitquit",
    "//metrics", "/v1/users/../../metrics", "/v1/users/%2e%2e/%2e%2e/metrics", "/v1/users/..%2f..%2fmetrics",
    "/v1/orders/..;/metrics", "/v1/users%2f..%2f..%2freadyz", "/static/../readyz",
    "/oauth/../healthz", "/v1/../openapi.json", "/v3/users",
    "/inventory.v1.InventoryService/Unknown", "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "/oauth/token/../../metrics",
]  # fmt: skip


@pytest.mark.parametrize("path", INTERNAL)
def test_what_is_internal_is_not_reached_through_the_gateway(path, customer):
    """Not by strangers, and not by a customer either."""
    for headers in (
        {},
        {"Authorization": f"Bearer {customer.token}"},
        {"Host": "slipway-users", "X-Original-Url": "/"},
    ):
        for method in ("GET", "POST"):
            assert status_of(path, method, headers) in (400, 401, 403, 404, 405), (path, method)


def test_tokens_are_checked_at_the_edge(customer):
    falsified = customer.token[:-6] + "AAAAAA"

    assert status_of("/v1/orders") == 401
    assert status_of("/v1/orders", headers={"Authorization": f"Bearer {falsified}"}) == 401
    assert status_of("/v1/users", headers={"Authorization": f"Bearer {customer.token}"}) == 403  # of all: not for it
    assert status_of("/v1/orders", headers={"Authorization": f"Bearer {customer.token}"}) == 200


def test_a_key_is_rotated_by_the_command_in_the_pod(customer):
    said = kubectl("exec", f"deploy/{RELEASE}-users-http", "--", "slipway", "keys", "rotate")

    assert "signs from" in said
    assert "to come" in kubectl("exec", f"deploy/{RELEASE}-users-http", "--", "slipway", "keys", "ls")
    assert customer.call("GET", "/v2/users/me")[0] == 200


def test_killed_pods_lose_and_double_no_order(customer):
    with Load(customer, [("POST", "/v1/orders", TEA)], rate=20, clients=4, seconds=90) as load:
        for component, service in (("relay", "orders"), ("consumer", "users"), ("consumer", "inventory")):
            before = len(load.created)
            selector = f"app.kubernetes.io/name={service},app.kubernetes.io/component={component}"
            kubectl("delete", "pod", "-l", selector, "--grace-period=0", "--force", "--wait=false")
            eventually(lambda before=before: len(load.created) >= before + 40)

    assert load.failures == []
    eventually(lambda: len(listed(customer)) >= len(load.created), within=120)
    assert sorted(listed(customer)) == sorted(load.created)


@pytest.mark.parametrize(
    "service", ["inventory", *(pytest.param(each, marks=pytest.mark.soak) for each in ("gateway", "orders"))]
)
def test_a_rolling_upgrade_under_load_fails_no_request_and_loses_no_event(service, customer):
    """100 requests a second, on kept-alive and on new connections, while every pod of the service is replaced."""
    reads = [("GET", "/v1/orders?limit=1", None), ("GET", "/v1/inventory/items", None)] * 2
    old_pods = pods_of(service)
    new_tag = upgraded_image(service)

    with Load(customer, [*reads, ("POST", "/v1/orders", TEA)], rate=100) as load:
        load.wait_for(300)
        helm(
            "upgrade", RELEASE, ROOT / "charts" / "platform", "--reuse-values",
            "--set", f"{service}.image.tag={new_tag}", "--wait", "--timeout", "5m",
        )  # fmt: skip
        eventually(lambda: not pods_of(service) & old_pods, within=120)
        load.wait_for(300)

    print(f"{load.sent} requests during the upgrade of {service}: {dict(load.answers)}, {len(load.failures)} failed")
    assert load.failures == []
    eventually(lambda: len(listed(customer)) >= min(1000, len(load.created)), within=120)
    if len(load.created) <= 1000:
        assert sorted(listed(customer)) == sorted(load.created)


def pods_of(service):
    pods = get("pods", "-l", f"app.kubernetes.io/name={service},app.kubernetes.io/component in (http,grpc)")["items"]
    return {pod["metadata"]["uid"] for pod in pods}


def upgraded_image(service):
    """The same code under another tag: what a new version is to Kubernetes."""
    [old] = {
        c["image"]
        for d in get("deployments", "-l", f"app.kubernetes.io/name={service}")["items"]
        for c in d["spec"]["template"]["spec"]["containers"]
    }
    new_tag = f"next-{uuid.uuid4().hex[:8]}"
    in_node("ctr", "-n", "k8s.io", "images", "tag", f"docker.io/{old}", f"docker.io/slipway/{service}:{new_tag}")
    return new_tag


def test_uninstall_leaves_nothing():
    helm("uninstall", RELEASE, "--wait", "--timeout", "5m")

    wait_until_nothing_is_left(within=120)
