"""The contract gate: what the candidate promises beside what the active version does, and what others rely on.

Contracts are read from running pods, on the admin port that no Service reaches. Which pods are asked is decided here;
asking, reading and judging is done in another process. The rules are the chassis' own, the same that
``slipway contracts check`` asks; docs/contracts.md has them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ....planning.observed import GateState
from ....spec.gates import ContractsGate
from ..api.client import Client
from ..api.kinds import MICROSERVICE, POD, SERVICE_LABEL, SERVING_LABEL, VERSION_LABEL, Key
from .contract_question import AdminPort, Asked, Question
from .judge_process import Judge

Manifest = dict[str, Any]

ADMIN_PORT = "admin"


@dataclass(frozen=True, slots=True)
class Judged:
    state: GateState
    message: str
    digests: Mapping[str, str]  # of the candidate's contracts, for its record


async def compared(
    client: Client,
    judge: Judge,
    gate: ContractsGate,
    key: Key,
    *,
    pods: Sequence[Manifest],
    active: str,
    candidate: str,
) -> Judged:
    question = Question(
        candidate=_asked(pods, candidate),
        active=_asked(pods, active) if active and active != candidate else None,
        others=await _others(client, key),
        allow_breaking=gate.allow_breaking,
    )
    found = await judge.judge(key.namespace, question)
    return Judged(GateState(found.state), found.message, found.digests)


def _asked(pods: Iterable[Manifest], version: str) -> Asked:
    """Where the ready pods of a version that answer requests have their admin port."""
    found, silent = [], []
    for pod in pods:
        labels = pod["metadata"].get("labels") or {}
        if labels.get(VERSION_LABEL) != version or labels.get(SERVING_LABEL) != "true":
            continue
        address, port = pod["status"].get("podIP"), _admin_port(pod)
        if address and port and _ready(pod) and not pod["metadata"].get("deletionTimestamp"):
            host = f"[{address}]" if ":" in address else address
            found.append(AdminPort(pod["metadata"]["name"], f"http://{host}:{port}", _counts_since(pod)))
        else:
            silent.append(pod["metadata"]["name"])
    return Asked(version, sorted(found, key=lambda each: each.address), sorted(silent))


def _counts_since(pod: Manifest) -> float | None:
    """When its containers began: counters of before are lost."""
    states = [each.get("state") or {} for each in pod["status"].get("containerStatuses") or []]
    began = [state["running"]["startedAt"] for state in states if (state.get("running") or {}).get("startedAt")]
    return max(datetime.fromisoformat(each).timestamp() for each in began) if began else None


def _ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _admin_port(pod: Manifest) -> int | None:
    ports = [port for each in pod["spec"]["containers"] for port in each.get("ports") or []]
    return next((port["containerPort"] for port in ports if port.get("name") == ADMIN_PORT), None)


async def _others(client: Client, key: Key) -> Mapping[str, Asked]:
    """The active versions of all other services. One without admin ports declares nothing, and is left out."""
    services = [each for each in await client.list(MICROSERVICE, key.namespace) if each["metadata"]["name"] != key.name]
    pods = await client.list(POD, key.namespace, selector=f"{SERVICE_LABEL},{SERVING_LABEL}=true")
    active = {each["metadata"]["name"]: (each.get("status") or {}).get("activeVersion", "") for each in services}
    found: dict[str, Asked] = {}
    for name, version in sorted(active.items()):
        own_pods = [each for each in pods if each["metadata"]["labels"].get(SERVICE_LABEL) == name]
        if version and (not own_pods or any(map(_admin_port, own_pods))):
            found[name] = _asked(own_pods, version)
    return found
