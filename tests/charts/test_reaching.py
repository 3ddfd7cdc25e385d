"""NetworkPolicies of the whole platform: every pair of pods, allowed or forbidden, and the evaluation itself."""

import pytest

from support.charts import CHARTS, of_kind, pod_templates, render
from support.network_policies import Pod, gate_labels, matches, may_reach
from support.repository import ROOT

pytestmark = pytest.mark.charts
HOME, MONITORING, OPERATORS = (
    {"kubernetes.io/metadata.name": name} for name in ("shop", "monitoring", "slipway-system")
)


[OPERATOR] = [
    template["metadata"]["labels"]
    for _, _, template in pod_templates(render("operator", CHARTS / "operator" / "ci" / "plain-values.yaml"))
]
# Pods that the charts do not make: one of the same namespace that nobody knows, and those of two others.
OUTSIDE = {
    "stranger": Pod("stranger", {"app": "x"}, {}, HOME),
    "prometheus": Pod("prometheus", {"app.kubernetes.io/name": "prometheus"}, {}, MONITORING),
    "gate": Pod("gate", gate_labels(), {}, HOME),
    "operator": Pod("operator", OPERATOR, {}, OPERATORS),
}
SERVING = {"gateway", "inventory-grpc", "orders-http", "storefront-http", "users-http"}
WORKERS = {f"{service}-{process}" for service in ("inventory", "orders", "users")
           for process in ("consumer", "relay", "migrate")}  # fmt: skip
# A neighbour in a namespace of its own may give its pods any labels.
NEIGHBOURS = {f"neighbour-as-{name}": Pod(f"neighbour-as-{name}", labels, {}, {"kubernetes.io/metadata.name": "theirs"})
              for name, labels in {"operator": OPERATOR, "gate": gate_labels(), "none": {}}.items()}  # fmt: skip
OUTSIDE |= NEIGHBOURS
ANYBODY = set(OUTSIDE)
CHECKING = {"operator", "gate"}
# Port of a pod: who may connect to it. All others may not.
ALLOWED = {
    ("gateway", 8080): ANYBODY,
    ("gateway", 9100): ANYBODY,
    ("storefront-http", 8000): {"gateway"} | CHECKING,
    ("orders-http", 8000): {"gateway", "storefront-http"} | CHECKING,
    ("inventory-grpc", 8001): {"gateway", "storefront-http"} | CHECKING,
    # The keys of tokens are here as well.
    ("users-http", 8000): SERVING - {"users-http"} | CHECKING,
    ("kafka", 9092): {pod for pod in WORKERS if not pod.endswith("migrate")},
    ("postgresql", 5432): WORKERS | SERVING - {"gateway", "storefront-http"},
} | {(pod, 9100): ANYBODY for pod in SERVING | WORKERS if pod != "gateway" and not pod.endswith("migrate")}


@pytest.fixture(scope="module", name="platform")
def _platform():
    return render("platform", CHARTS / "platform" / "ci" / "kind-values.yaml")


def pods_of(objects):
    """By name, without what a Job's name has of its content; `helm test`'s pods are there for seconds, and left out."""
    for name, _, template in pod_templates(objects):
        kind, _, short = name.replace("/r-", "/").partition("/")
        short = f"{short.partition('-')[0]}-migrate" if kind == "Job" else short
        listening = [port for each in template["spec"]["containers"] for port in each.get("ports", [])]
        ports = {each["name"]: each["containerPort"] for each in listening}
        yield Pod(short, template["metadata"]["labels"], ports, HOME)


def test_every_pair_of_pods_is_as_it_is_meant(platform):
    policies = of_kind(platform, "NetworkPolicy")
    pods = {each.name: each for each in pods_of(platform)}
    assert pods.keys() == SERVING | WORKERS | {"kafka", "postgresql"}

    reached = {
        (receiver.name, number): {
            sender.name
            for sender in (pods | OUTSIDE).values()
            if sender.name != receiver.name and may_reach(policies, sender, receiver, number, HOME)
        }
        for receiver in pods.values()
        for number in {*receiver.ports.values(), 22}
    }

    assert {place: senders for place, senders in reached.items() if senders} == ALLOWED


def test_in_production_labels_open_nothing_to_other_namespaces(platform):
    """Only the gateway's own ports are for all, and whom each process may ask is named."""
    policies = of_kind(render("platform", ROOT / "k8s" / "platform-values.yaml"), "NetworkPolicy")
    receivers = {each.name: each for each in pods_of(platform)}.values()
    theirs = {"kubernetes.io/metadata.name": "theirs"}
    neighbours = [*NEIGHBOURS.values(), *(Pod(f"as-{each.name}", each.labels, {}, theirs) for each in receivers)]
    for receiver in (each for each in receivers if each.name not in {"kafka", "postgresql"}):
        for number in receiver.ports.values():
            reached = [each.name for each in neighbours if may_reach(policies, each, receiver, number, HOME)]
            assert not reached or (receiver.name, number) == ("gateway", 8080), (receiver.name, number, reached)

    for each_policy in policies:
        open_ = [rule for rule in each_policy["spec"]["egress"] if "to" not in rule]
        assert open_ == [], (each_policy["metadata"]["name"], open_)
        for rule in (*each_policy["spec"]["ingress"], *each_policy["spec"]["egress"]):
            for peer in (*rule.get("from", ()), *rule.get("to", ())):
                assert peer.get("namespaceSelector") != {}, each_policy["metadata"]["name"]


def test_managed_pods_are_under_the_same_policies():
    """What the operator makes of a Microservice's templates carries the labels that policies select."""
    plain, managed = (render("platform", CHARTS / "platform" / "ci" / f"{each}-values.yaml") for each in
                      ("kind", "managed"))  # fmt: skip
    for service in ("users", "orders", "inventory", "storefront"):
        mine = {
            each["metadata"]["name"]: each["spec"]["podSelector"]["matchLabels"]
            for each in of_kind(managed, "NetworkPolicy")
            if each["metadata"]["name"].startswith(f"r-{service}-")
        }
        assert mine == {
            each["metadata"]["name"]: each["spec"]["podSelector"]["matchLabels"]
            for each in of_kind(plain, "NetworkPolicy")
            if each["metadata"]["name"].startswith(f"r-{service}-")
        }
        labels = [template["metadata"]["labels"] for name, _, template in pod_templates(managed)
                  if name.startswith(f"Microservice/r-{service}/")]  # fmt: skip
        assert labels
        for selector in mine.values():
            assert any(selector.items() <= each.items() for each in labels)


def policy(**spec):
    return {"spec": {"podSelector": {}, **spec}}


A, B = Pod("a", {"name": "a"}, {}, HOME), Pod("b", {"name": "b"}, {"http": 80}, HOME)
FOREIGN = Pod("foreign", {"name": "a"}, {}, MONITORING)


@pytest.mark.parametrize(
    ("rule", "sender", "allowed"),
    [
        ([], A, False),
        ([{}], A, True),
        ([{"ports": [{"port": "http"}]}], A, True),
        ([{"ports": [{"port": 81}]}], A, False),
        ([{"ports": [{"port": 80, "protocol": "UDP"}]}], A, False),
        ([{"from": [{"podSelector": {"matchLabels": {"name": "a"}}}]}], A, True),
        ([{"from": [{"podSelector": {"matchLabels": {"name": "x"}}}]}], A, False),
        ([{"from": [{"podSelector": {}}]}], FOREIGN, False),
        ([{"from": [{"namespaceSelector": {}}]}], FOREIGN, True),
        ([{"from": [{"namespaceSelector": {"matchLabels": HOME}, "podSelector": {}}]}], FOREIGN, False),
        ([{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}], A, False),
    ],
)
def test_a_rule_is_read_as_kubernetes_reads_it(rule, sender, allowed):
    assert may_reach([], sender, B, 80, HOME)
    assert may_reach([policy(policyTypes=["Ingress"], ingress=rule)], sender, B, 80, HOME) is allowed
    # Egress of the sender is asked as well.
    assert not may_reach([policy(policyTypes=["Egress"], egress=[])], A, B, 80, HOME)


def test_selectors_with_expressions():
    assert matches({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {"a": "1"})
    assert not matches({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {"a": "1"})
    assert matches({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}, {"a": "1"})
    assert not matches({"matchExpressions": [{"key": "b", "operator": "Exists"}]}, {"a": "1"})
