"""Gates, asked of the candidate's own ports while nobody else reaches it. Each runs in a thread, and is kept when done.

An answer that did not come in time is neither good nor bad: the gate is asked again.
"""

import http.client
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

from ...planning.observed import GateState
from ...spec.gates import Gate, HttpGate
from .processes import utc_now
from .state import GateRun

ASK_SECONDS = 5
LONGEST_BODY = 1024 * 1024
MOST_GATES = 16  # of a service; each has a thread, so that none waits for an answer to another

Result = tuple[GateState, str]
Key = tuple[str, str, int, int]
Promises = Callable[[bool], Result]  # whether breaking is allowed
Ask = Callable[[int, str], tuple[int, str] | None]  # port and path → status and body; None: no answer in time


class Checks:
    """The gates that are being asked now, and results that have come in."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=MOST_GATES, thread_name_prefix="gate")
        self._asked: dict[Key, tuple[GateRun, Future[Result]]] = {}

    def ask(self, run: GateRun, gate: Gate, ports: Mapping[str, int], promises: Promises) -> None:
        """Once for each run, however often it is called. ``promises`` judges contracts."""
        key = _key(run)
        if key not in self._asked:
            self._asked[key] = (run, self._pool.submit(checked, gate, ports, promises))

    def results(self) -> list[GateRun]:
        done = [(key, run, future) for key, (run, future) in self._asked.items() if future.done()]
        for key, _, _ in done:
            del self._asked[key]
        return [_ended(run, future, utc_now()) for _, run, future in done]

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _key(run: GateRun) -> Key:
    return run.version, run.gate, run.attempt, run.run


def _ended(run: GateRun, future: "Future[Result]", now: datetime) -> GateRun:
    state, message = future.result()
    return run.model_copy(update={"state": state, "message": message[:500], "finished": now})


def checked(gate: Gate, ports: Mapping[str, int], promises: Promises) -> Result:
    if gate.http:
        return _http(gate.http, ports, asked)
    return promises(gate.contracts is not None and gate.contracts.allow_breaking)


def asked(port: int, path: str) -> tuple[int, str] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(LONGEST_BODY).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _http(gate: HttpGate, ports: Mapping[str, int], ask: Ask) -> Result:
    port = ports.get(gate.port)
    if port is None:
        return GateState.FAILED, f"the service has no process {gate.port!r} that could be asked"
    answer = ask(port, gate.path)
    if answer is None:
        return GateState.INCONCLUSIVE, f"{gate.path} was not answered within {ASK_SECONDS} s"
    status, body = answer
    if status != gate.status:
        return GateState.FAILED, f"{gate.path} answered {status}, not {gate.status}"
    if gate.contains not in body:
        return GateState.FAILED, f"the answer of {gate.path} does not contain {gate.contains!r}"
    return GateState.PASSED, ""
