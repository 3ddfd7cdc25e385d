"""Which pods may reach which ports of others, by the NetworkPolicies of rendered manifests, as Kubernetes decides it:

a pod that no policy selects for a direction is open in it; else one rule of one of its policies has to fit. A
connection needs both: the sender's egress and the receiver's ingress.
"""

from dataclasses import dataclass, field

from slipway_operator.runtimes.kubernetes.objects.manifests import Owner, gate_job
from slipway_operator.spec.gates import JobGate


@dataclass(frozen=True)
class Pod:
    name: str
    labels: dict = field(hash=False, compare=False)
    ports: dict = field(hash=False, compare=False, default_factory=dict)  # name -> number
    namespace: dict = field(hash=False, compare=False, default_factory=dict)  # labels of the namespace


def matches(selector, labels):
    for each in selector.get("matchExpressions", []):
        values, found = each.get("values", []), labels.get(each["key"])
        fits = {"In": found in values, "NotIn": found not in values, "Exists": found is not None,
                "DoesNotExist": found is None}  # fmt: skip
        if not fits[each["operator"]]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def _is_peer(peer, pod, home):
    """``home``: labels of the policy's namespace. An address block fits no pod."""
    if "ipBlock" in peer:
        return False
    same = pod.namespace == home
    there = matches(peer["namespaceSelector"], pod.namespace) if "namespaceSelector" in peer else same
    return there and matches(peer.get("podSelector", {}), pod.labels)


def _port_fits(wanted, receiver, number):
    if wanted.get("protocol", "TCP") != "TCP":
        return False
    port = wanted.get("port", number)
    return number == (receiver.ports.get(port) if isinstance(port, str) else port)


def _one_way(policies, direction, of, other, receiver, number, home):
    key, peers = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}[direction]
    mine = [
        each["spec"]
        for each in policies
        if direction in each["spec"]["policyTypes"]
        and of.namespace == home
        and matches(each["spec"]["podSelector"], of.labels)
    ]
    if not mine:
        return True
    for rule in (rule for each in mine for rule in each.get(key, [])):
        fits = not rule.get("ports") or any(_port_fits(each, receiver, number) for each in rule["ports"])
        if fits and (not rule.get(peers) or any(_is_peer(each, other, home) for each in rule[peers])):
            return True
    return False


def may_reach(policies, sender, receiver, number, home):
    """Whether ``sender`` may connect to TCP port ``number`` of ``receiver``; policies are of namespace ``home``."""
    return _one_way(policies, "Egress", sender, receiver, receiver, number, home) and _one_way(
        policies, "Ingress", receiver, sender, receiver, number, home
    )


def gate_labels():
    """Of a Job of a gate, as the operator makes it."""
    template = {"spec": {"containers": [{"name": "ask", "image": "ask:1"}]}}
    made = gate_job(Owner("r-orders", "uid"), "0a1b2c3d", "smoke", JobGate(template=template), attempt=1, run=1,
                    first_started="", deadline_seconds=1, preview_url="")  # fmt: skip
    return made["spec"]["template"]["metadata"]["labels"]
