"""One look at the world: what was observed, what is wanted, which version shall be active."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from .desired import Desired
from .facts import Facts, OpenRelease, Stage
from .observed import ANY, Observed, VersionView


@dataclass(frozen=True, slots=True)
class Situation:
    observed: Observed
    desired: Desired
    facts: Facts
    now: datetime
    target: str | None  # the version that shall be active; None: there is none that could be

    def view(self, version: str | None) -> VersionView | None:
        return self.observed.versions.get(version) if version else None

    def others(self, version: str | None) -> Iterator[VersionView]:
        return (view for name, view in self.observed.versions.items() if name != version)

    def endpoints(self, version: str | None) -> int:
        view = self.view(version)
        return view.endpoints if view else 0

    @property
    def release(self) -> OpenRelease | None:
        return self.facts.release

    @property
    def current(self) -> str | None:
        """The version that gets requests, or None: no version, an unknown one, several at once (Rolling), or one that
        was stopped on purpose for another.
        """
        active = self.observed.active
        return active if active in self.observed.versions and active != self.facts.stopped_version else None

    @property
    def rolling(self) -> bool:
        return self.observed.active == ANY

    @property
    def switched(self) -> bool:
        return self.target is not None and self.current == self.target

    @property
    def foreign_endpoints(self) -> int:
        """Ready endpoints of no known version: those of Deployments from which a first version takes over."""
        return self.observed.active_endpoints.get("", 0)

    @property
    def blackout(self) -> bool:
        """Nobody answers behind the active Service, so that any ready version is better."""
        return not self.rolling and self.endpoints(self.current) == 0 and not self.foreign_endpoints

    @property
    def active_size(self) -> int:
        """Pods of the active version. What came along with a new version is the new version's size alone."""
        kept = self.facts.kept_size
        return kept.size if kept and kept.replicas == self.desired.replicas else self.desired.replicas

    @property
    def full_size(self) -> int:
        """Pods a version needs before it takes over: never fewer than the active one has now."""
        return max(self.desired.replicas, self.active_size, self.foreign_endpoints)

    @property
    def preview_size(self) -> int:
        """Few pods are enough where gates or people look first; where nobody does, a second wave of starts is time."""
        looked_at = not self.desired.auto_promote or any(not gate.after_promotion for gate in self.desired.gates)
        if looked_at or self.desired.rolling:
            return min(self.desired.preview_replicas, self.full_size)
        return self.full_size

    def enough(self, version: str | None) -> bool:
        """Ready for all requests; where nobody answers at all, one ready endpoint is enough."""
        ready = self.endpoints(version)
        return ready >= self.full_size or (ready > 0 and self.blackout)

    @property
    def return_size(self) -> int:
        """Ready pods that are enough for a way back: half of them, and no more than the version has that is left.

        What is left is wrong for each request; pods are sized for their peak, and the others follow.
        """
        if self.blackout:
            return 1
        half = -(-self.full_size // 2)
        return max(1, min(half, self.endpoints(self.current))) if self.current else half

    def reached(self, stage: Stage) -> bool:
        return self.release is not None and self.release.reached >= stage

    def name_of(self, version: str | None) -> str:
        view = self.view(version)
        return f"{version} ({view.label})" if view and view.label else str(version)
