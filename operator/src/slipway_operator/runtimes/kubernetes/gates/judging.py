"""``python -m slipway_operator.runtimes.kubernetes.gates.judging``: one question about contracts, in one process.

What pods show is written by strangers. It is fetched, read and compared here, where memory and processor time are
bounded and where all of it can be ended at once; the operator's own process sees the verdict alone.
"""

import json
import os
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from slipway_contracts import Contracts, Shown, judge
from slipway_contracts.bundle import INDEX, MAX_BYTES, MAX_FILE_BYTES, MAX_FILES, PATH
from slipway_contracts.errors import UnreadableContracts
from slipway_contracts.protobuf import packages

from .api_usage import calls_of
from .contract_question import (
    MEMORY_BYTES,
    PROCESSOR_SECONDS,
    RETIREMENT_QUIET_SECONDS,
    AdminPort,
    Answer,
    Asked,
    Question,
)
from .pod_requests import content

ASKING_SECONDS = 8.0  # all pods together
AT_ONCE = 16
_STACK_BYTES = 256 * 1024
_OK, _NOT_FOUND = 200, 404

Content = Callable[[str, int], tuple[int, bytes] | None]
Calls = Callable[[str], Counter[str] | None]


class Unasked(Exception):  # no fault: it is asked again
    """Somebody whose contracts are needed can't be asked now."""


def answer(question: Question, *, ask: Content = content, count: Calls = calls_of) -> Answer:
    """``ask`` and ``count``: of a pod, by its address."""
    pods = _Pods(ask)
    with_others = {name: pods.begin(pods.of_another, each.ports) for name, each in question.others.items()}
    former = question.active and pods.begin(pods.shown, question.active.ports)
    candidate = pods.begin(pods.shown, question.candidate.ports)
    try:
        new = pods.result(candidate)
        if new is None:
            cure = "build its image by services/Dockerfile, which exports them to /contracts"
            said = f"{question.candidate.version} shows no contracts on its admin port: {cure}"
            return Answer("Failed", said)
        old = _former(question.active, pods, former) if question.active and former else None
    except Unasked as error:
        return Answer("Inconclusive", str(error))
    others = {name: shown for name, each in with_others.items() if (shown := _other(pods, each)) is not None}
    usage, counted = None, ""
    if question.active and isinstance(old, Contracts) and _drops(old, new):
        usage, counted = _usage(question.active, old, count, time.time())
    verdict = judge(old, new, others, usage, counted=counted, allow_breaking=question.allow_breaking)
    return Answer(verdict.result.value, verdict.message, new.digests() if isinstance(new, Contracts) else {})


class _Pods:
    """Asked side by side, in a bounded time together. Who does not answer may hold a thread until the process ends."""

    def __init__(self, ask: Content) -> None:
        self._ask = ask
        self._ends = time.monotonic() + ASKING_SECONDS
        self._threads = ThreadPoolExecutor(AT_ONCE)

    def begin(self, how: Callable[[Sequence[AdminPort]], Shown | None], ports: Sequence[AdminPort]) -> "_Begun":
        return _Begun(self._threads.submit(how, ports), ports)

    def result(self, begun: "_Begun") -> Shown | None:
        """None: it shows no contracts. Raises Unasked where none can be asked now."""
        try:
            return begun.future.result(max(0.0, self._ends - time.monotonic()))
        except TimeoutError:
            named = ", ".join(each.pod for each in begun.ports[:3])
            raise Unasked(f"{named} did not answer within {ASKING_SECONDS:.0f} s on the admin port") from None

    def shown(self, ports: Sequence[AdminPort]) -> Shown | None:
        return self._first(ports, self._strictly)

    def of_another(self, ports: Sequence[AdminPort]) -> Shown | None:
        """Its pods may be anybody's: what is no index is no promise, and nobody is held up by it."""
        return self._first(ports, self._if_any)

    def _first(self, ports: Sequence[AdminPort], read: Callable[[AdminPort, int, bytes], Shown | None]) -> Shown | None:
        """Of the first pod that answers."""
        why = "no ready pod has a container port named admin"
        for each in ports:
            found = self._ask(f"{each.address}/contracts", MAX_FILE_BYTES)
            if found and found[0] == _NOT_FOUND:
                return None
            if found:
                try:
                    return read(each, *found)
                except UnreadableContracts as error:
                    return error
                except Unasked as error:
                    why = str(error)
            else:
                why = f"{each.pod} did not answer on its admin port"
        raise Unasked(why)

    def _strictly(self, port: AdminPort, status: int, index: bytes) -> Shown | None:
        if status != _OK:
            raise Unasked(f"{port.pod} answered {status} on its admin port")
        return self._read(port, index, listed(index))

    def _if_any(self, port: AdminPort, status: int, index: bytes) -> Shown | None:
        try:
            names = listed(index) if status == _OK else None
        except UnreadableContracts:
            names = None
        return None if names is None else self._read(port, index, names)

    def _read(self, port: AdminPort, index: bytes, names: Sequence[str]) -> Shown:
        """What the index names, within the bounds that Contracts.read checks once more."""
        found = {INDEX: index}
        for path in names:
            said = self._ask(f"{port.address}/contracts/{path}", MAX_FILE_BYTES)
            if said is None or said[0] != _OK:
                raise Unasked(f"{port.pod} names {path} and does not show it")
            found[path] = said[1]
            if sum(map(len, found.values())) > MAX_BYTES:
                raise UnreadableContracts(f"they are larger than {MAX_BYTES} bytes")
        return Contracts.read(found.__getitem__)


class _Begun:
    def __init__(self, future: "Future[Shown | None]", ports: Sequence[AdminPort]) -> None:
        self.future, self.ports = future, ports


def listed(index: bytes) -> list[str]:
    """Raises UnreadableContracts for what is no index."""
    try:
        files = json.loads(index)["files"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnreadableContracts(f"{INDEX} is no index") from None
    names = (
        [each for each in files if isinstance(each, str) and PATH.fullmatch(each)] if isinstance(files, dict) else None
    )
    if names is None or not len(names) == len(files) <= MAX_FILES:
        raise UnreadableContracts(f"{INDEX} names more than {MAX_FILES} files, or what is no contract")
    return names


def _former(active: Asked, pods: _Pods, begun: _Begun) -> Shown:
    """A version without a ready pod answers nobody: a fix must not wait for it."""
    if not active.ports:
        return UnreadableContracts(f"no pod of {active.version} is ready")
    return pods.result(begun) or UnreadableContracts(f"{active.version} shows no contracts on its admin port")


def _other(pods: _Pods, begun: _Begun) -> Shown | None:
    try:
        return pods.result(begun)
    except Unasked as error:
        return UnreadableContracts(str(error))


def _drops(old: Shown | None, new: Shown) -> bool:
    if not isinstance(old, Contracts) or not isinstance(new, Contracts):
        return False
    return bool(old.api_versions - new.api_versions) or old.descriptors != new.descriptors


def _usage(active: Asked, old: Contracts, count: Calls, now: float) -> tuple[Mapping[str, float], str]:
    """Calls by major version since the active pods started, and what that rests on. That one was called is known from
    any pod; that it was not, only if all of them tell and have counted for RETIREMENT_QUIET_SECONDS.
    """
    calls: Counter[str] = Counter()
    silent = list(active.silent)
    for each in active.ports:
        counted = count(each.address)
        if counted is None:
            silent.append(each.pod)
        else:
            calls.update(counted)
    age = _age(active.ports, now)
    proven = not silent and age is not None and age >= RETIREMENT_QUIET_SECONDS
    majors = [*old.api_versions, *(packages(old.descriptors) if old.descriptors else ())]
    usage = {name: calls[name] for name in majors if calls[name] or proven}
    return usage, _rests_on(len(active.ports) + len(active.silent), silent, age)


def _age(ports: Sequence[AdminPort], now: float) -> float | None:
    """Of the pod that has counted longest; None: one is unknown."""
    began = [each.since for each in ports]
    return now - min(one for one in began if one is not None) if began and None not in began else None


def _rests_on(pods: int, silent: Sequence[str], age: float | None) -> str:
    if silent:
        return f"{len(silent)} of {pods} pods could not be asked ({', '.join(silent[:3])})"
    if age is None:
        return f"how long {pods} pods have counted is unknown"
    return f"{pods} {'pod has' if pods == 1 else 'pods have'} counted for {_words(age)}"


def _words(seconds: float) -> str:
    """A duration for people.

    >>> _words(59), _words(7200), _words(200_000)
    ('59 s', '2 h', '2 days')
    """
    for size, unit in ((86_400, " days"), (3600, " h"), (60, " min")):
        if seconds >= size * (2 if unit == " days" else 1):
            return f"{seconds // size:.0f}{unit}"
    return f"{max(0.0, seconds):.0f} s"


def _bound() -> None:
    """Before anything is read: from here on neither time nor memory of others is taken."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)
    threading.stack_size(_STACK_BYTES)


def main() -> None:
    _bound()
    given: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(asdict(answer(Question.of(given)))))
    sys.stdout.flush()
    os._exit(0)  # threads that wait for a pod would hold it up


if __name__ == "__main__":
    main()
