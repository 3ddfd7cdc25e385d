"""What Prometheus is told. Numbers of single services are in their status; here is how the operator does."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ...planning.facts import Ended, Facts, Result
from ...spec.status import MicroserviceStatus

HANDOVER_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
OPEN_LABELS = ("microservice_namespace", "microservice", "phase", "stage")
OUTCOMES = (*get_args(Result), "RolledBack")
PHASE_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class OpenReleases(Collector):
    """How long each release that goes on has been in its stage: one series each, gone with its end. Named by labels of
    their own, since Prometheus gives ``namespace`` to the operator's pod.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._open: dict[tuple[str, str], tuple[str, str, datetime]] = {}
        self.leading: Callable[[], bool] = lambda: True

    def note(self, namespace: str, name: str, status: MicroserviceStatus | None) -> None:
        """What was seen of a service; None: it is gone."""
        if status is None or status.release is None:
            self._open.pop((namespace, name), None)
        else:
            self._open[namespace, name] = (status.phase, status.release.reached, status.release.since)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Asked by the registry at each scrape; a replica that does not lead knows nothing."""
        family = GaugeMetricFamily(
            "slipway_release_stage_age_seconds",
            "Time that a release has been in its stage, in seconds.",
            labels=OPEN_LABELS,
        )
        for (namespace, name), (phase, stage, since) in list(self._open.items()) if self.leading() else ():
            family.add_metric([namespace, name, phase, stage], max(0.0, (self._now() - since).total_seconds()))
        yield family


class Metrics:
    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.registry = CollectorRegistry()
        self.open_releases = OpenReleases(now)
        self.registry.register(self.open_releases)
        self.releases = Counter(
            "slipway_releases", "Completed releases by outcome.", ["outcome"], registry=self.registry
        )  # fmt: skip
        for outcome in OUTCOMES:
            # Prometheus sees no increase in a series that begins with 1: nobody would be told of the first failure.
            self.releases.labels(outcome)
        self.phases = Histogram(
            "slipway_release_phase_seconds",
            "Time that releases spent in each phase, in seconds.",
            ["phase"],
            buckets=PHASE_SECONDS,
            registry=self.registry,
        )
        self.handovers = Histogram(
            "slipway_handover_seconds",
            "Time without a running consumer of an exclusive group during a handover, in seconds.",
            buckets=HANDOVER_SECONDS,
            registry=self.registry,
        )
        self.errors = Counter("slipway_reconcile_errors", "Failed reconciliations.", registry=self.registry)
        self._queue_age = Gauge(
            "slipway_queue_age_seconds",
            "Age of the oldest service waiting for reconciliation, in seconds.",
            registry=self.registry,
        )
        self._event_age = Gauge(
            "slipway_last_event_age_seconds",
            "Time since the last watch event or resync, in seconds.",
            registry=self.registry,
        )
        self._leading = Gauge(
            "slipway_leading", "1 if this replica is the leader, 0 otherwise.", registry=self.registry
        )

    def watch(
        self, queue_age: Callable[[], float], event_age: Callable[[], float], leading: Callable[[], bool]
    ) -> None:
        """Ages are asked when they are scraped."""
        self._queue_age.set_function(queue_age)
        self._event_age.set_function(event_age)
        self._leading.set_function(lambda: float(leading()))
        self.open_releases.leading = leading

    def ended(self, before: Facts, after: Facts) -> None:
        for each in after.history:
            if each not in before.history:
                self.releases.labels(_outcome(each)).inc()

    def handed_over(self, before: Facts, after: Facts) -> None:
        """Each handover once, when it ends; in one look the release may end as well."""
        known = before.release.handover_pause_ms if before.release else None
        pause = after.release.handover_pause_ms if after.release else None
        if pause is None and before.release and len(after.history) > len(before.history):
            pause = after.history[-1].handover_pause_ms
        if known is None and pause is not None:
            self.handovers.observe(pause / 1000)

    def phase(self, name: str, since: datetime, until: datetime) -> None:
        self.phases.labels(name).observe(max(0.0, (until - since).total_seconds()))


def _outcome(ended: Ended) -> str:
    """Succeeded, Failed, Superseded or ContractFailed; a rollback that people asked for is told apart."""
    return "RolledBack" if ended.kind == "Rollback" and ended.result == "Succeeded" else ended.result
