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

from slipway_chassis.contracts import Contracts, Shown, judge
from slipway_chassis.contracts.bundle import INDEX, MAX_BYTES, MAX_FILE_BYTES, MAX_FILES, PATH
from slipway_chassis.contracts.protobuf import packages
from slipway_chassis.errors import UnreadableContracts

from ....planning.observed import GateState
from ....spec.gates import ContractsGate
from ..api.client import Client
from ..api.kinds import MICROSERVICE, POD, SERVICE_LABEL, SERVING_LABEL, VERSION_LABEL, Key
from .checks import Fetcher

Manifest = dict[str, Any]

ADMIN_PORT = "admin"
# All questions of one look together: a gate is asked within a step.
LONGEST_SECONDS = 20
AT_ONCE = 8
LARGEST_METRICS = 4 * 1024 * 1024
_OK, _NOT_FOUND = 200, 404


class Unasked(Exception):  # no fault: it is asked again
    """Somebody whose contracts are needed can't be asked now."""


@dataclass(frozen=True, slots=True)
class Judged:
    state: GateState
    message: str
    digests: Mapping[str, str]  # of the candidate's contracts, for its record


async def compared(
    client: Client,
    fetcher: Fetcher,
    gate: ContractsGate,
    key: Key,
    *,
    pods: Sequence[Manifest],
    active: str,
    candidate: str,
) -> Judged:
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await _compared(client, fetcher, gate, key, pods=pods, active=active, candidate=candidate)
    except TimeoutError:
        return Judged(GateState.INCONCLUSIVE, f"the pods did not show their contracts within {LONGEST_SECONDS} s", {})
    except Unasked as error:
        return Judged(GateState.INCONCLUSIVE, str(error), {})


async def _compared(
    client: Client,
    fetcher: Fetcher,
    gate: ContractsGate,
    key: Key,
    *,
    pods: Sequence[Manifest],
    active: str,
    candidate: str,
) -> Judged:
    new = await _shown(fetcher, _of(pods, candidate))
    if new is None:
        cure = "build its image by services/Dockerfile, which exports them to /contracts"
        return Judged(GateState.FAILED, f"{candidate} shows no contracts on its admin port: {cure}", {})
    answering = _of(pods, active) if active and active != candidate else []
    old = await _former(fetcher, active, answering) if active and active != candidate else None
    others = await _others(client, fetcher, key)
    usage = await _usage(fetcher, answering, old) if _drops(old, new) else None
    verdict = await asyncio.to_thread(judge, old, new, others, usage, allow_breaking=gate.allow_breaking)
    digests = new.digests() if isinstance(new, Contracts) else {}
    return Judged(GateState(verdict.result.value), verdict.message, digests)


async def _former(fetcher: Fetcher, active: str, addresses: Sequence[str]) -> Shown:
    """A version without a ready pod answers nobody: a fix must not wait for it."""
    if not addresses:
        return UnreadableContracts(f"no pod of {active} is ready")
    return await _shown(fetcher, addresses) or UnreadableContracts(f"{active} shows no contracts on its admin port")


def _drops(old: Shown | None, new: Shown) -> bool:
    if not isinstance(old, Contracts) or not isinstance(new, Contracts):
        return False
    return bool(old.api_versions - new.api_versions) or old.descriptors != new.descriptors


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


async def _shown(fetcher: Fetcher, addresses: Sequence[str]) -> Shown | None:
    """Of the first pod that answers; None: it shows no contracts. Raises Unasked where none can be asked now."""
    why = "no ready pod has a container port named admin"
    for address in addresses:
        answer = await fetcher.fetch_bytes(f"{address}/contracts", MAX_FILE_BYTES)
        if answer and answer[0] == _NOT_FOUND:
            return None
        if answer and answer[0] == _OK:
            try:
                return Contracts.read((await _files(fetcher, address, answer[1])).__getitem__)
            except UnreadableContracts as error:
                return error
        why = f"a ready pod answered {answer[0]} on its admin port" if answer else "no ready pod answered"
    raise Unasked(why)


async def _files(fetcher: Fetcher, address: str, index: bytes) -> dict[str, bytes]:
    """What the index names, within the bounds that Contracts.read checks once more."""
    found = {INDEX: index}
    for path in _listed(index):
        answer = await fetcher.fetch_bytes(f"{address}/contracts/{path}", MAX_FILE_BYTES)
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


async def _others(client: Client, fetcher: Fetcher, key: Key) -> Mapping[str, Shown]:
    """The active versions of all other services. One that shows no contracts declares nothing, and is left out."""
    services = [each for each in await client.list(MICROSERVICE, key.namespace) if each["metadata"]["name"] != key.name]
    pods = await client.list(POD, key.namespace, selector=f"{SERVICE_LABEL},{SERVING_LABEL}=true")
    limit = asyncio.Semaphore(AT_ONCE)

    async def ask(name: str, version: str) -> Shown | None:
        own_pods = [each for each in pods if each["metadata"]["labels"].get(SERVICE_LABEL) == name]
        if own_pods and not any(map(_admin_port, own_pods)):
            return None  # a service without the chassis
        async with limit:
            try:
                return await _shown(fetcher, _of(own_pods, version))
            except Unasked as error:
                return UnreadableContracts(str(error))

    active = {each["metadata"]["name"]: (each.get("status") or {}).get("activeVersion", "") for each in services}
    asked = [(name, version) for name, version in sorted(active.items()) if version]
    shown = await asyncio.gather(*(ask(name, version) for name, version in asked))
    return {name: contracts for (name, _), contracts in zip(asked, shown, strict=True) if contracts is not None}


async def _usage(fetcher: Fetcher, addresses: Sequence[str], old: Shown | None) -> Mapping[str, float] | None:
    """Calls by major version since the active pods started; None: a pod did not tell."""
    if not isinstance(old, Contracts):
        return None
    calls: Counter[str] = Counter()
    for address in addresses:
        answer = await fetcher.fetch_bytes(f"{address}/metrics", LARGEST_METRICS)
        if answer is None or answer[0] != _OK:
            return None
        counted = _calls(answer[1].decode(errors="replace"))
        if counted is None:
            return None
        calls.update(counted)
    # A version that was counted nowhere was not called.
    return {name: calls[name] for name in [*old.api_versions, *(packages(old.descriptors) if old.descriptors else ())]}


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
