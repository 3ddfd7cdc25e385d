"""The platform on a real kind cluster: behaviour, a rolling upgrade under load, and a clean end."""

import json
import sys
import urllib.error
import urllib.request
import uuid

import pytest

from conftest import ROOT, eventually
from e2e.conftest import NAMESPACE, ORDERS, RELEASE, USERS, get, helm, kubectl, run
from e2e.load import Load

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def call(method, url, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def new_user():
    return call("POST", f"{USERS}/v1/users", {"name": "Ada", "email": f"{uuid.uuid4().hex}@example.org"})[1]["id"]


def listed(user_id):
    return [o["order_id"] for o in call("GET", f"{USERS}/v1/users/{user_id}/orders?limit=1000")[1]["orders"]]


def test_helm_test_passes():
    assert "Succeeded" in helm("test", RELEASE)


def test_an_order_travels_through_the_cluster():
    assert "there it is" in run(sys.executable, ROOT / "services" / "story.py", USERS, ORDERS)


def test_the_metrics_api_answers():
    assert "MEMORY" in kubectl("top", "nodes")


def test_the_namespace_enforces_the_restricted_standard():
    labels = get("namespace", NAMESPACE)["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"{", 400), (b'{"name": "x", "email": "x@y.z", "role": "admin"}', 422), (b'"' + b"x" * 1100000 + b'"', 413)],
)
def test_bad_input_is_a_problem_here_too(data, status):
    request = urllib.request.Request(f"{USERS}/v1/users", data, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=20)
    assert error.value.code == status
    assert error.value.headers["Content-Type"] == "application/problem+json"


def test_metrics_and_health_details_are_not_on_the_public_port():
    assert call("GET", f"{USERS}/metrics")[0] == 404


def test_killed_pods_lose_and_double_no_order():
    user_id = new_user()
    body = {"user_id": user_id, "item": "tea", "quantity": 1, "unit_price_cents": 350}
    with Load(ORDERS, [("POST", "/v1/orders", body)], rate=20, clients=4, seconds=60) as load:
        for component, service in (("relay", "orders"), ("consumer", "users")):
            before = len(load.created)
            selector = f"app.kubernetes.io/name={service},app.kubernetes.io/component={component}"
            kubectl("delete", "pod", "-l", selector, "--grace-period=0", "--force", "--wait=false")
            eventually(lambda before=before: len(load.created) >= before + 40)

    assert load.failures == []
    eventually(lambda: len(listed(user_id)) >= len(load.created), within=120)
    assert sorted(listed(user_id)) == sorted(load.created)


def test_a_rolling_upgrade_under_load_fails_no_request_and_loses_no_event():
    """100 requests a second, on kept-alive and on new connections, while every pod of orders is replaced."""
    user_id = new_user()
    body = {"user_id": user_id, "item": "tea", "quantity": 1, "unit_price_cents": 350}
    requests = [("GET", "/v1/orders?limit=1", None)] * 4 + [("POST", "/v1/orders", body)]
    old_pods = pods_of("orders")
    new_tag = upgraded_image()

    with Load(ORDERS, requests, rate=100) as load:
        eventually(lambda: load.sent > 300)
        helm(
            "upgrade", RELEASE, ROOT / "charts" / "platform", "--reuse-values", "--set", f"orders.image.tag={new_tag}",
            "--wait", "--timeout", "5m",
        )  # fmt: skip
        eventually(lambda: not pods_of("orders") & old_pods, within=120)
        after = load.sent
        eventually(lambda: load.sent > after + 300)

    print(f"{load.sent} requests during the upgrade: {dict(load.answers)}, {len(load.failures)} failed")
    assert load.failures == []
    assert set(load.answers) == {200, 201}
    eventually(lambda: len(listed(user_id)) >= min(1000, len(load.created)), within=120)
    if len(load.created) <= 1000:
        assert sorted(listed(user_id)) == sorted(load.created)


def pods_of(service):
    pods = get("pods", "-l", f"app.kubernetes.io/name={service},app.kubernetes.io/component=http")["items"]
    return {pod["metadata"]["uid"] for pod in pods}


def upgraded_image():
    """The same code under another tag: what a new version is to Kubernetes."""
    [old] = {
        c["image"]
        for d in get("deployments", "-l", "app.kubernetes.io/name=orders")["items"]
        for c in d["spec"]["template"]["spec"]["containers"]
    }
    new_tag = f"next-{uuid.uuid4().hex[:8]}"
    node = f"{run(f'{ROOT}/ci/kind.sh', 'name').strip()}-control-plane"
    run(
        "docker",
        "exec",
        node,
        "ctr",
        "-n",
        "k8s.io",
        "images",
        "tag",
        f"docker.io/{old}",
        f"docker.io/slipway/orders:{new_tag}",
    )
    return new_tag


def test_uninstall_leaves_nothing():
    helm("uninstall", RELEASE, "--wait", "--timeout", "5m")

    def left():
        kinds = "deploy,sts,rs,po,svc,cm,secret,sa,pvc,job,hpa,pdb,netpol"
        items = get(kinds)["items"]
        return [
            f"{i['kind']}/{i['metadata']['name']}"
            for i in items
            if i["metadata"]["name"] not in ("kube-root-ca.crt", "default")
        ]

    eventually(lambda: not left(), within=120, every=1)
