"""The gate that compares two versions: what Prometheus counted of the requests of both.

Before promotion the candidate's requests are those of its preview, and the active version's those of the same time.
After it, the former version's are those of the time right before the switch.
"""

import asyncio
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ....planning.analysis import Limits, Traffic, told, worse
from ....planning.observed import GateState
from ....spec.gates import AnalysisGate
from ..api.kinds import Key
from .checks import OK, Fetcher, Result

# Labels of pods as Prometheus spells them; k8s/monitoring/podmonitors.yaml brings them to the series.
_POD = '{{namespace="{namespace}",slipway_dev_microservice="{name}",slipway_dev_version="{version}"}}'
_REQUESTS = "sum by (status) (increase(flask_http_request_duration_seconds_count{pods}[{seconds}s]))"
_WITHIN = "sum by (le) (increase(flask_http_request_duration_seconds_bucket{pods}[{seconds}s]))"


@dataclass(frozen=True, slots=True)
class Compared:
    """Which versions, and the end of the baseline's time: None is now."""

    candidate: str
    baseline: str | None
    baseline_until: datetime | None


class _NoDataError(Exception):
    """Why there is nothing to compare yet."""


async def analysed(gate: AnalysisGate, fetcher: Fetcher, key: Key, which: Compared) -> Result:
    prometheus = _Prometheus(gate, fetcher, key)
    try:
        # At once: the limit of time is that of one question.
        reads, candidate, baseline = await asyncio.gather(
            prometheus.reads(which.candidate),
            prometheus.traffic(which.candidate),
            prometheus.traffic(which.baseline, which.baseline_until),
        )
        if not reads:
            said = "Prometheus reads no pod of it: do its targets have the label slipway.dev/version?"
            return GateState.INCONCLUSIVE, said
    except _NoDataError as error:
        return GateState.INCONCLUSIVE, str(error)
    found = worse(candidate, baseline, Limits(gate.max_error_increase, gate.max_latency_factor))
    return (GateState.FAILED, found) if found else (GateState.PASSED, told(candidate, baseline))


def queries(key: Key, version: str, seconds: int) -> tuple[str, str]:
    """Requests by status, and by how long they took, of the last ``seconds``."""
    words = {"pods": _pods(key, version), "seconds": seconds}
    return _REQUESTS.format(**words), _WITHIN.format(**words)


def _pods(key: Key, version: str) -> str:
    return _POD.format(namespace=key.namespace, name=key.name, version=version)


class _Prometheus:
    def __init__(self, gate: AnalysisGate, fetcher: Fetcher, key: Key) -> None:
        self._gate, self._fetcher, self._key = gate, fetcher, key

    async def reads(self, version: str) -> bool:
        return bool(await self._counts(f"up{_pods(self._key, version)}", "slipway_dev_version"))

    async def traffic(self, version: str | None, until: datetime | None = None) -> Traffic:
        if version is None:
            return Traffic()
        requests, durations = queries(self._key, version, self._gate.window_seconds)
        by_status, within = await asyncio.gather(
            self._counts(requests, "status", until), self._counts(durations, "le", until)
        )
        return Traffic(
            requests=sum(by_status.values()),
            errors=sum(count for status, count in by_status.items() if status.startswith("5")),
            within={float(bound): count for bound, count in within.items()},
        )

    async def _counts(self, query: str, label: str, until: datetime | None = None) -> Mapping[str, float]:
        asked = {"query": query} | ({"time": until.isoformat()} if until else {})
        answer = await self._fetcher.fetch(f"{self._gate.address.rstrip('/')}/api/v1/query", asked)
        if answer is None or answer.status != OK:
            raise _NoDataError(f"Prometheus answered {answer.status}" if answer else "Prometheus did not answer")
        try:
            return _counts(json.loads(answer.body), label)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise _NoDataError("Prometheus answered what is no result of a query") from None


def _counts(body: Any, label: str) -> dict[str, float]:
    counts = {str(each["metric"][label]): float(each["value"][1]) for each in body["data"]["result"]}
    return {name: count for name, count in counts.items() if not math.isnan(count)}
