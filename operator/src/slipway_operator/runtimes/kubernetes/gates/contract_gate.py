"""The contract gate: what the candidate promises beside what the active version does, and what others rely on.

Contracts are read from running pods, on the admin port that no Service reaches. The rules are the chassis' own, the
same that ``slipway contracts check`` asks; docs/contracts.md has them.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from slipway_chassis.contracts import Contracts, Declared, Verdict, judge
from slipway_chassis.contracts.bundle import INDEX, MAX_BYTES, MAX_FILE_BYTES, MAX_FILES, PATH
from slipway_chassis.contracts.findings import breaking
from slipway_chassis.contracts.protobuf import packages
from slipway_chassis.contracts.relying import unmet
from slipway_chassis.errors import ChassisError, ConfigurationError, UnreadableContracts

from ....planning.observed import GateState
from ....spec.gates import ContractsGate
from ..api.client import Client
from ..api.kinds import MICROSERVICE, POD, SERVICE_LABEL, SERVING_LABEL, VERSION_LABEL, Key
from .checks import Asker

Manifest = dict[str, Any]

ADMIN_PORT = "admin"
# All questions of one look together: a gate is asked within a step.
LONGEST_SECONDS = 20
AT_ONCE = 8
SAID_AT_MOST = 3
LARGEST_METRICS = 4 * 1024 * 1024
_OK, _NOT_FOUND = 200, 404


class Unasked(Exception):  # no fault: it is asked again
    """Somebody whose contracts are needed can't be asked now."""


@dataclass(frozen=True, slots=True)
class Judged:
    state: GateState
    message: str
    digests: Mapping[str, str]  # of the candidate's contracts, for its record


@dataclass(frozen=True, slots=True)
class Others:
    """Who else is in the namespace."""

    contracts: Mapping[str, Contracts]
    unasked: Sequence[str]  # who has contracts and can't be asked

    def declared(self) -> Iterable[Declared]:
        return (each for contracts in self.contracts.values() for each in contracts.consumes)


async def compared(
    client: Client,
    asker: Asker,
    gate: ContractsGate,
    key: Key,
    *,
    pods: Sequence[Manifest],
    active: str,
    candidate: str,
) -> Judged:
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await _compared(client, asker, gate, key, pods=pods, active=active, candidate=candidate)
    except TimeoutError:
        return Judged(GateState.INCONCLUSIVE, f"the pods did not show their contracts within {LONGEST_SECONDS} s", {})
    except Unasked as error:
        return Judged(GateState.INCONCLUSIVE, str(error), {})
    except (UnreadableContracts, ConfigurationError) as error:
        return Judged(GateState.FAILED, f"the contracts can't be read: {error}", {})


async def _compared(
    client: Client,
    asker: Asker,
    gate: ContractsGate,
    key: Key,
    *,
    pods: Sequence[Manifest],
    active: str,
    candidate: str,
) -> Judged:
    new = await _shown(asker, _of(pods, candidate))
    if new is None:
        cure = "build its image by services/Dockerfile, which exports them to /contracts"
        return Judged(GateState.FAILED, f"{candidate} shows no contracts on its admin port: {cure}", {})
    answering = _of(pods, active) if active and active != candidate else []
    # A fix must not wait for a version that is broken, and has nobody to ask.
    old = await _former(asker, answering)
    others = await _others(client, asker, key)
    usage = await _usage(asker, answering, old) if old and _drops(old, new) else None
    verdict = await asyncio.to_thread(_judged, old, new, others, usage)
    state, message = _said(verdict, others, allowed=gate.allow_breaking)
    compared_with = "" if old or not active or active == candidate else f"; {active} showed none to compare with"
    return Judged(state, message + compared_with, new.digests())


async def _former(asker: Asker, addresses: Sequence[str]) -> Contracts | None:
    """None as well where it can't be asked, or shows what is no contract: a fix must not wait for what is broken."""
    try:
        return await _shown(asker, addresses) if addresses else None
    except (Unasked, UnreadableContracts):
        return None


def _judged(old: Contracts | None, new: Contracts, others: Others, usage: Mapping[str, float] | None) -> Verdict:
    """With what the candidate relies on: it must be there before the candidate gets requests."""
    try:
        verdict = judge(old, new, list(others.declared()), usage)
        unserved = [
            finding
            for declared in new.consumes
            for provider in others.contracts.values()
            if provider.service == declared.service
            for finding in unmet(declared, provider)
        ]
    except ChassisError:
        raise
    except Exception as error:
        # Documents come from versions that nobody trusts yet; whatever they do to the rules is the candidate's failure.
        raise UnreadableContracts(f"they can't be compared: {type(error).__name__}: {error}"[:300]) from error
    findings = [*verdict.findings, *unserved]
    return Verdict(ok=not breaking(findings), findings=findings, inconclusive=verdict.inconclusive)


def _said(verdict: Verdict, others: Others, *, allowed: bool) -> tuple[GateState, str]:
    findings = verdict.findings
    breaks = breaking(findings)
    if breaks:
        sentences = " ".join(each.sentence for each in breaks[:SAID_AT_MOST])
        more = f" And {len(breaks) - SAID_AT_MOST} more." if len(breaks) > SAID_AT_MOST else ""
        return (GateState.PASSED if allowed else GateState.FAILED), f"{sentences}{more}"
    if others.unasked:
        return (
            GateState.PASSED if allowed else GateState.INCONCLUSIVE
        ), f"nobody knows what {', '.join(others.unasked)} relies on: no pod answers"
    if verdict.inconclusive:
        undecided = next(each for each in findings if each.undecided)
        return (GateState.PASSED if allowed else GateState.INCONCLUSIVE), undecided.sentence
    return GateState.PASSED, f"{len(findings)} changes, none breaks anybody" if findings else "nothing changed"


def _drops(old: Contracts, new: Contracts) -> bool:
    return bool(old.openapis.keys() - new.openapis.keys()) or old.descriptors != new.descriptors


# --- asking pods
def _of(pods: Iterable[Manifest], version: str) -> list[str]:
    """Where the ready pods of a version that answer requests have their admin port."""
    found = []
    for pod in pods:
        labels = pod["metadata"].get("labels") or {}
        ends = pod["metadata"].get("deletionTimestamp")
        if labels.get(VERSION_LABEL) != version or labels.get(SERVING_LABEL) != "true" or ends or not _ready(pod):
            continue
        address, port = pod["status"].get("podIP"), _admin_port(pod)
        if address and port:
            found.append(f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}")
    return sorted(found)


def _ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _admin_port(pod: Manifest) -> int | None:
    ports = [port for each in pod["spec"]["containers"] for port in each.get("ports") or []]
    return next((port["containerPort"] for port in ports if port.get("name") == ADMIN_PORT), None)


async def _shown(asker: Asker, addresses: Sequence[str]) -> Contracts | None:
    """Of the first pod that answers; None: it shows no contracts."""
    for address in addresses:
        answer = await asker.fetch(f"{address}/contracts", MAX_FILE_BYTES)
        if answer is None:
            continue
        status, index = answer
        if status == _NOT_FOUND:
            return None
        return Contracts.read((await _files(asker, address, index)).__getitem__)
    raise Unasked("no ready pod shows its contracts on a container port named admin")


async def _files(asker: Asker, address: str, index: bytes) -> dict[str, bytes]:
    """What the index names, within the bounds that Contracts.read checks once more."""
    found = {INDEX: index}
    for path in _listed(index):
        answer = await asker.fetch(f"{address}/contracts/{path}", MAX_FILE_BYTES)
        if answer is None or answer[0] != _OK:
            raise Unasked(f"a pod names {path} and does not show it")
        found[path] = answer[1]
        if sum(map(len, found.values())) > MAX_BYTES:
            raise UnreadableContracts(f"they are larger than {MAX_BYTES} bytes")
    return found


def _listed(index: bytes) -> list[str]:
    try:
        names = list(json.loads(index)["files"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnreadableContracts(f"{INDEX} is no index") from None
    if len(names) > MAX_FILES or not all(isinstance(each, str) and PATH.fullmatch(each) for each in names):
        raise UnreadableContracts(f"{INDEX} names more than {MAX_FILES} files, or what is no contract")
    return names


async def _others(client: Client, asker: Asker, key: Key) -> Others:
    """The active versions of all other services. One that shows no contracts declares nothing."""
    services = [each for each in await client.list(MICROSERVICE, key.namespace) if each["metadata"]["name"] != key.name]
    pods = await client.list(POD, key.namespace, selector=f"{SERVICE_LABEL},{SERVING_LABEL}=true")
    limit = asyncio.Semaphore(AT_ONCE)
    found: dict[str, Contracts] = {}
    unasked: list[str] = []

    async def ask(name: str, version: str) -> None:
        mine = [each for each in pods if each["metadata"]["labels"].get(SERVICE_LABEL) == name]
        if mine and not any(map(_admin_port, mine)):
            return  # a service without the chassis declares nothing
        async with limit:
            try:
                contracts = await _shown(asker, _of(mine, version))
                if contracts and contracts.consumes is not None:  # read here, where it is its own fault
                    found[name] = contracts
            except (Unasked, ChassisError):
                unasked.append(name)

    active = {each["metadata"]["name"]: (each.get("status") or {}).get("activeVersion", "") for each in services}
    await asyncio.gather(*(ask(name, version) for name, version in active.items() if version))
    return Others(found, sorted(unasked))


async def _usage(asker: Asker, addresses: Sequence[str], old: Contracts) -> Mapping[str, float] | None:
    """Calls by major version since the active pods started; None: a pod did not tell."""
    calls: Counter[str] = Counter()
    for address in addresses:
        answer = await asker.fetch(f"{address}/metrics", LARGEST_METRICS)
        if answer is None or answer[0] != _OK:
            return None
        counted = _calls(answer[1].decode(errors="replace"))
        if counted is None:
            return None
        calls.update(counted)
    # A version that was counted nowhere was not called.
    return {name: calls[name] for name in [*old.openapis, *(packages(old.descriptors) if old.descriptors else ())]}


def _calls(text: str) -> Counter[str] | None:
    """None: the text can't be read, and so tells nothing."""
    calls: Counter[str] = Counter()
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "http_api_requests_total":
                    calls[sample.labels.get("version", "")] += int(sample.value)
                elif sample.name == "grpc_server_calls_total":
                    # /inventory.v1.InventoryService/Reserve
                    service = sample.labels.get("method", "").strip("/").partition("/")[0]
                    calls[service.rpartition(".")[0]] += int(sample.value)
    except (ValueError, OverflowError):
        return None
    return calls
