"""What Prometheus is told. Numbers of single services are in their status; here is how the operator does."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ...planning.facts import Ended, Facts

HANDOVER_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
PHASE_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.releases = Counter(
            "slipway_releases", "Completed releases by outcome.", ["outcome"], registry=self.registry
        )  # fmt: skip
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
