"""NetworkPolicies as the cluster enforces them: every pair of pods is tried by a connection from inside the sender.

Which pairs are meant is the table of tests/charts/test_reaching.py, which the evaluation is held to; here the
evaluation of what is installed is held to what the cluster does.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind.auditor import sleeping_pod
from support.kind.commands import GATEWAY, NAMESPACE, OPERATOR_NAMESPACE, RELEASE, get, in_node, kubectl, run
from support.network_policies import Pod, gate_labels, matches, may_reach
from support.repository import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.usefixtures("installed", "operator")]
ELSEWHERE = "monitoring"
MIGRATION = {
    "app.kubernetes.io/name": "orders",
    "app.kubernetes.io/instance": RELEASE,
    "app.kubernetes.io/component": "migrate",
    "app.kubernetes.io/part-of": "slipway",
}
# Pods that are not there by themselves, or for moments: (namespace, name) and labels.
STAND_INS = {
    (NAMESPACE, "stranger"): {"app": "x"},
    (NAMESPACE, "gate"): gate_labels(),
    (NAMESPACE, "migration"): MIGRATION,
    (NAMESPACE, "test"): MIGRATION | {"app.kubernetes.io/component": "test"},
    (ELSEWHERE, "prometheus"): {"app.kubernetes.io/name": "prometheus"},
}


class Live:
    """The pods that run in the three namespaces: as the evaluation sees them, where they are, and their process."""

    def __init__(self):
        tasks = dict(line.split()[:2] for line in in_node("ctr", "-n", "k8s.io", "tasks", "ls").splitlines())
        self.pods, self.addresses, self.processes, self.policies = {}, {}, {}, {}
        for namespace in (NAMESPACE, OPERATOR_NAMESPACE, ELSEWHERE):
            self.policies[namespace] = get("networkpolicies", namespace=namespace)["items"]
            for each in get("pods", "--field-selector=status.phase=Running", namespace=namespace)["items"]:
                name, status = each["metadata"]["name"], each["status"]["containerStatuses"][0]
                ports = [port for container in each["spec"]["containers"] for port in container.get("ports", [])]
                listening = {port["name"]: port["containerPort"] for port in ports}
                self.pods[name] = Pod(name, each["metadata"]["labels"], listening, home(namespace))
                self.addresses[name] = each["status"]["podIP"]
                self.processes[name] = tasks[status["containerID"].rpartition("/")[2]]
        # The API server is asked by the node's address, which no selector fits.
        [subset] = get("endpoints", "kubernetes", namespace="default")["subsets"]
        self.pods["api"] = Pod("api", {}, {"https": subset["ports"][0]["port"]})
        self.addresses["api"] = subset["addresses"][0]["ip"]
        self.confused = "kube-router" in kubectl("get", "daemonsets", "-o", "name", namespace="kube-system")

    def places(self, sender=""):
        """What ``sender`` may try: (pod, port)."""
        return [
            (name, port)
            for name, pod in self.pods.items()
            if name != sender and not (sender and self.confused and self.siblings(self.pods[sender], pod))
            for port in sorted(pod.ports.values())
        ]

    def siblings(self, one, other):
        """kube-router asks a policy of both ends with both of its lists: what may come in may go out as well."""
        return one.namespace == other.namespace and any(
            matches(policy["podSelector"], one.labels) and matches(policy["podSelector"], other.labels)
            for namespace, policies in self.policies.items()
            if one.namespace == home(namespace)
            for policy in (each["spec"] for each in policies)
            if {"Ingress", "Egress"} == set(policy["policyTypes"]) and policy.get("ingress")
        )

    def meant(self, sender):
        """By the policies that are installed."""
        return {
            (name, port)
            for name, port in self.places(sender)
            if all(
                may_reach(policies, self.pods[sender], self.pods[name], port, home(namespace))
                for namespace, policies in self.policies.items()
            )
        }

    def reached(self, sender):
        return self.connect(sender, *self.entered(sender))

    def entered(self, sender):
        return ("nsenter", "--net", "--target", self.processes[sender])

    def connect(self, sender, *inside):
        """All at once: what is refused in silence costs three seconds."""
        attempt = "timeout 3 bash -c 'echo > /dev/tcp/{address}/{port}' 2> /dev/null && echo {name} {port} &"
        script = "\n".join(
            attempt.format(address=self.addresses[name], port=port, name=name) for name, port in self.places(sender)
        )
        answers = [line.split() for line in in_node(*inside, "bash", "-c", f"{script}\nwait").splitlines()]
        return {(name, int(port)) for name, port in answers}


def home(namespace):
    return {"kubernetes.io/metadata.name": namespace}


@pytest.fixture(scope="module", name="stand_ins", autouse=True)
def _stand_ins(installed):
    found = get("pods", "-l", "app.kubernetes.io/name=orders,app.kubernetes.io/component=http")["items"]
    image = found[0]["spec"]["containers"][0]["image"]
    try:
        kubectl("create", "namespace", ELSEWHERE)
        for (namespace, name), labels in STAND_INS.items():
            pod = sleeping_pod(name, labels, image)
            kubectl("apply", "-f", "-", stdin=json.dumps(pod), namespace=namespace)
        for namespace, name in STAND_INS:
            kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s", namespace=namespace)
        yield
    finally:
        for namespace, name in STAND_INS:
            kubectl("delete", "pod", name, "--grace-period=0", "--force", "--ignore-not-found", namespace=namespace)
        kubectl("delete", "namespace", ELSEWHERE, "--ignore-not-found", "--timeout=60s")


def assert_enforced():
    def all_listen():
        """The node itself is let through everywhere, for probes: a port that is closed to it would prove nothing."""
        found = Live()
        return found if found.connect("") == set(found.places()) else None

    live = eventually(all_listen, within=60, every=1)
    meant = {sender: live.meant(sender) for sender in live.processes}

    def as_meant():
        with ThreadPoolExecutor(4) as several:
            reached = dict(zip(meant, several.map(live.reached, meant), strict=True))
        wrong = {
            sender: {"open": sorted(reached[sender] - places), "closed": sorted(places - reached[sender])}
            for sender, places in meant.items()
            if reached[sender] != places
        }
        return not wrong or print("\n  not yet as meant:", wrong)

    # A policy holds a moment after it was written.
    eventually(as_meant, within=90, every=1)
    tried = sum(len(live.places(sender)) for sender in meant)
    print(f"\n  {sum(map(len, meant.values()))} of {tried} connections are let through, the others refused")
    return meant


def test_every_pair_of_pods_connects_as_its_policies_say():
    meant = assert_enforced()

    assert {name for name, _ in meant["stranger"]} > {"api"}, "a pod of nobody's may ask what no policy guards"
    for sender, places in meant.items():
        if sender.startswith(RELEASE) and not sender.startswith("slipway-operator"):
            assert not any(name == "api" for name, _ in places), f"{sender} may ask the API server"


def test_the_shop_works_where_all_else_is_denied():
    """With k8s/policies/network.yaml: a stranger reaches nothing any more, names apart, and an order still travels."""
    denied = ROOT / "k8s" / "policies" / "network.yaml"
    kubectl("apply", "-f", denied)
    try:
        meant = assert_enforced()

        assert meant["stranger"] == set()
        for checking in ("gate", "test"):
            assert {port for _, port in meant[checking]} == {8000, 8001, 8080}, checking
        assert "there it is, paid" in run(sys.executable, ROOT / "services" / "story.py", GATEWAY)
    finally:
        kubectl("delete", "-f", denied)
