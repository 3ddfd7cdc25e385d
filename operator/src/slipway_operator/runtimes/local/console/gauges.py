"""What processes say of themselves on their admin ports: breakers, what was sent and applied. ``gauges_of`` is pure."""

import http.client
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from ....console.model import Breaker, Gauges, Traffic
from .processes import Named

ASK_SECONDS = 1.0
LARGEST_ANSWER = 1024 * 1024
STATES = {0: "closed", 1: "half-open", 2: "open"}
_SAMPLE = re.compile(
    r"^(circuit_breaker_state|circuit_breaker_rejected_total|outbox_published_total|events_consumed_total"
    r'|consumer_lag_seconds|consumer_handler_running_seconds)(?:\{\w+="((?:[^"\\]|\\.)*)"[^}]*\})? (\S+)$',
    re.MULTILINE,
)
Samples = Mapping[str, Mapping[str, float]]  # metric → the value of its first label → number


def samples_of(text: str) -> dict[str, dict[str, float]]:
    """Of Prometheus' text, those that are shown; the greatest where several have one label."""
    found: dict[str, dict[str, float]] = {}
    for metric, label, number in _SAMPLE.findall(text):
        try:
            value = float(number)
        except ValueError:
            continue
        if not math.isfinite(value):  # as a gauge is that was never set; no page can show it
            continue
        of_metric = found.setdefault(metric, {})
        of_metric[label] = max(value, of_metric.get(label, value))
    return found


def gauges_of(answers: Iterable[tuple[str, Samples | str]]) -> Gauges:
    """``answers``: of each process its samples, or why there are none."""
    breakers: list[Breaker] = []
    traffic: list[Traffic] = []
    silent: list[tuple[str, str]] = []
    for process, samples in answers:
        if isinstance(samples, str):
            silent.append((process, samples))
            continue
        breakers += _breakers(process, samples)
        traffic += _traffic(process, samples)
    return Gauges(tuple(breakers), tuple(traffic), tuple(silent))


def _breakers(process: str, samples: Samples) -> Iterator[Breaker]:
    rejected = samples.get("circuit_breaker_rejected_total", {})
    for name, state in samples.get("circuit_breaker_state", {}).items():
        yield Breaker(process, name, STATES.get(int(state), "open"), int(rejected.get(name, 0)))


def _traffic(process: str, samples: Samples) -> Iterator[Traffic]:
    published, applied = samples.get("outbox_published_total", {}), samples.get("events_consumed_total", {})
    if published or applied:
        lag = samples.get("consumer_lag_seconds", {}).get("") if applied else None
        handler = samples.get("consumer_handler_running_seconds", {}).get("", 0.0)
        yield Traffic(process, _counts(published), _counts(applied), lag, handler)


def _counts(numbers: Mapping[str, float]) -> dict[str, int]:
    return {name: int(number) for name, number in numbers.items()}


def gauge_source(everything: Callable[[], Iterable[Named]]) -> Callable[[], Gauges]:
    return lambda: gauges_of(_answers(everything()))


def _answers(everything: Iterable[Named]) -> Iterator[tuple[str, Samples | str]]:
    for name, version, process in everything:
        if process.admin and process.alive:
            answer = _asked(process.admin)
            if process.ready or not isinstance(answer, str):  # one that is on its way up is told of by its state
                yield f"{name} {version}".strip(), answer


def _asked(port: int) -> Samples | str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            return f"127.0.0.1:{port}/metrics answered {answer.status}"
        return samples_of(answer.read(LARGEST_ANSWER).decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        return f"127.0.0.1:{port}/metrics: {error or type(error).__name__}"
    finally:
        connection.close()
