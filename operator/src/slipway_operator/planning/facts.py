"""What can't be observed again and therefore lives in the status: since when, which version to go back to."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Literal

from ..spec.microservice import Suspend

Kind = Literal["Install", "Release", "Rollback", "Undo"]
Result = Literal["Succeeded", "Failed", "Superseded", "ContractFailed"]
HISTORY = 10
RETIRED = "Retired"  # why a version is held that can't become active again


class Stage(IntEnum):
    """How far a release is, in the order of a release; the names are shown to people as ``status.step``."""

    RECORDING = 1
    MIGRATING = 2
    STARTING = 3
    PREVIEWING = 4
    CHECKING = 5
    SCALING = 6
    PROMOTING = 7
    HANDING_OVER = 8
    ROLLING = 9
    SWITCHING = 10
    VERIFYING = 11
    WATCHING = 12
    RETURNING = 13
    DRAINING = 14
    CONTRACTING = 15

    @property
    def title(self) -> str:
        return self.name.title().replace("_", "")

    @classmethod
    def of(cls, title: str) -> "Stage":
        for stage in cls:
            if stage.title == title:
                return stage
        return cls.RECORDING


@dataclass(frozen=True, slots=True)
class OpenRelease:
    version: str
    kind: Kind
    attempt: int
    fingerprint: str
    started: datetime
    reached: Stage
    since: datetime  # when it reached that stage: deadlines count from here
    troubled_since: datetime | None = None  # a problem that waiting will not solve was seen, and is not over
    workers_lost_since: datetime | None = None  # while it was watched, nobody was ready any more of some worker
    handover_started: datetime | None = None
    handover_ended: datetime | None = None
    plan: str = ""  # the ReleasePlan whose word it waits for
    promoted_at: datetime | None = None  # only the new version got requests
    accepted_at: datetime | None = None  # its watch ended well: it is the stable version

    @property
    def handover_pause_ms(self) -> int | None:
        """From the moment the old consumers were asked to stop until the new ones were members; at least 0, since
        clocks are set back.
        """
        if self.handover_started is None or self.handover_ended is None:
            return None
        return max(0, int((self.handover_ended - self.handover_started).total_seconds() * 1000))

    @property
    def careful(self) -> bool:
        """Going forward asks for checks; going back must not wait for them."""
        return self.kind in {"Install", "Release"}


@dataclass(frozen=True, slots=True)
class Unaccepted:
    """It got all requests and is watched, although a newer version is wanted. ``failed``: why they go back."""

    release: OpenRelease
    failed: str = ""
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """A person's word counts for one attempt: for the one that is open when it is seen, or the next."""

    reference: str  # release.promote, as it was written
    attempt: int


@dataclass(frozen=True, slots=True)
class Held:
    version: str
    reason: str
    message: str
    fingerprint: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    version: str
    label: str
    kind: str  # of those here, and whatever another release of the operator wrote
    started: datetime
    ended: datetime
    result: str  # Succeeded, Failed, Superseded, ContractFailed, or what another release of the operator wrote
    reason: str = ""
    handover_pause_ms: int | None = None


@dataclass(frozen=True, slots=True)
class KeptSize:
    """A new version came with a new size: the active version keeps its own until the new one is accepted."""

    replicas: int  # spec.replicas it holds for; another value is the wish of an autoscaler or a person
    size: int


@dataclass(frozen=True, slots=True)
class Facts:
    stable: str | None = None  # the last version that was released with success; a failed release goes back to it
    release: OpenRelease | None = None
    unaccepted: Unaccepted | None = None
    held: Held | None = None
    draining: tuple[tuple[str, datetime], ...] = ()
    kept_size: KeptSize | None = None
    attempts: int = 0
    paused: bool = False
    suspended: Suspend = "None"
    stopped_version: str | None = None  # it was active when all was stopped, and another one is wanted since
    promotion: Promotion | None = None
    contract_pending: str | None = None  # a stable version whose contract migration another release cut short
    history: tuple[Ended, ...] = ()

    def of_spec(self, fingerprint: str, others: Collection[str]) -> "Facts":
        """Where what is stored has another digest of the same spec, it has that of now: no hold ends by an upgrade."""
        held, release = self.held, self.release
        if held and held.fingerprint in others:
            held = replace(held, fingerprint=fingerprint)
        if release and release.fingerprint in others:
            release = replace(release, fingerprint=fingerprint)
        same = (held, release) == (self.held, self.release)
        return self if same else replace(self, held=held, release=release)

    def until(self, now: datetime) -> "Facts":
        """Without times that lie ahead, which a clock left that was set back: nothing waits until they have come."""
        draining = tuple((name, min(since, now)) for name, since in self.draining)
        kept = self.unaccepted
        if kept:
            kept = replace(kept, release=_before(kept.release, now), failed_at=_past(kept.failed_at, now))
        release = _before(self.release, now) if self.release else None
        past = replace(self, release=release, unaccepted=kept, draining=draining)
        return self if past == self else past


def _before(release: OpenRelease, now: datetime) -> OpenRelease:
    return replace(
        release,
        started=min(release.started, now),
        since=min(release.since, now),
        troubled_since=_past(release.troubled_since, now),
        workers_lost_since=_past(release.workers_lost_since, now),
        handover_started=_past(release.handover_started, now),
        handover_ended=_past(release.handover_ended, now),
        promoted_at=_past(release.promoted_at, now),
        accepted_at=_past(release.accepted_at, now),
    )


def _past(moment: datetime | None, now: datetime) -> datetime | None:
    return min(moment, now) if moment else None
