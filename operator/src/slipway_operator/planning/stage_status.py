"""What one look finds of a stage: what is waited for, what is done about it, and what would end the release."""

from dataclasses import dataclass
from datetime import datetime

from .facts import Stage
from .steps import Step


@dataclass(frozen=True, slots=True)
class Failure:
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """The release fails at that moment, with that failure, if nothing changes until then."""

    at: datetime
    failure: Failure


@dataclass(frozen=True, slots=True)
class StageStatus:
    """``deadline`` is the stage's own: a gate's, or that of pods which were lost. ``deadlines`` knows the others."""

    stage: Stage
    waiting: str = ""
    steps: tuple[Step, ...] = ()
    failure: Failure | None = None
    deadline: Deadline | None = None
    passes_at: datetime | None = None  # the stage ends by itself then
    again_at: datetime | None = None
    verified: bool = False  # only the target gets requests
    accepted: bool = False  # and its watch is over
    over: bool = False  # nothing is left to do
    moving: str = ""  # what is handed over: consumers or relays
    by_person: bool = False  # it waits for a person or a window
    anew: bool = False  # its results are too old: another attempt asks its gates
    contract_failed: str = ""
