"""What the console shows, as plain data: each part becomes one JSON value. Pure.

Times are seconds since 1970, durations are seconds. An empty ``trouble`` means that the source answered; otherwise it
is one sentence, and the values beside it are not known.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

ProcessState = Literal["ready", "starting", "ending", "ended"]


@dataclass(frozen=True, slots=True)
class Step:
    """A stage that a release came to. ``ended``: None while it is there; ``failed``: the release was given up there."""

    stage: str
    said: str
    began: float
    ended: float | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate of a version and what it found."""

    name: str
    version: str
    state: str
    said: str
    began: float
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """When no consumer of the group ran. ``ended``, ``pause``: None while the old ones leave and the new ones join."""

    began: float
    ended: float | None = None
    pause: float | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """One that goes on, or the last one. ``result``: empty while it goes on."""

    version: str
    kind: str
    began: float
    ended: float | None = None
    result: str = ""
    reason: str = ""
    steps: tuple[Step, ...] = ()
    gates: tuple[GateResult, ...] = ()
    handover: Handover | None = None
    pause: float | None = None


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """A version that could answer, and what it is."""

    name: str
    said: str


@dataclass(frozen=True, slots=True)
class ServiceView:
    """``sentence``: as ``slipway status`` says it. ``actions``: what a person can do about it now."""

    name: str
    active: str = ""
    previous: str = ""
    candidate: str = ""
    readiness: str = ""
    phase: str = ""
    sentence: str = ""
    waits: bool = False
    actions: tuple[str, ...] = ()
    versions: tuple[KeptVersion, ...] = ()
    release: Release | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ProcessView:
    """``falls``: how often it ended by itself while the console's process runs; ``fell``: when it did last."""

    name: str
    version: str
    state: ProcessState
    pid: int
    port: int = 0
    falls: int = 0
    fell: float | None = None


@dataclass(frozen=True, slots=True)
class ParkedKey:
    """A key whose events wait for a replay of its dead letters."""

    topic: str
    key: str
    letters: int


@dataclass(frozen=True, slots=True)
class Outbox:
    """Events of one service that Kafka has not acknowledged. ``parked``: the first ones of ``parked_count``."""

    service: str
    pending: int = 0
    oldest: float = 0.0
    parked_count: int = 0
    parked: tuple[ParkedKey, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind in one topic, in records."""

    topic: str
    behind: int
    end: int


@dataclass(frozen=True, slots=True)
class Consumers:
    """A consumer group. ``members``: client ids; ``state``: the broker's word for it."""

    group: str
    state: str = ""
    members: tuple[str, ...] = ()
    lags: tuple[Lag, ...] = ()
    trouble: str = ""

    @property
    def behind(self) -> int:
        """In all its topics, in records."""
        return sum(lag.behind for lag in self.lags)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A queue of letters, and how many it holds."""

    topic: str
    group: str
    count: int


@dataclass(frozen=True, slots=True)
class Streams:
    """What the broker says: topics with the number of events they hold, groups, dead letters."""

    topics: tuple[tuple[str, int], ...] = ()
    groups: tuple[Consumers, ...] = ()
    letters: tuple[DeadLetters, ...] = ()


@dataclass(frozen=True, slots=True)
class Breaker:
    """``state``: closed, half-open or open."""

    process: str
    name: str
    state: str
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a process counted since it began. ``published``: by topic; ``applied``: by type of event."""

    process: str
    published: dict[str, int]
    applied: dict[str, int]
    lag: float | None = None
    handler: float = 0.0


@dataclass(frozen=True, slots=True)
class Gauges:
    """What the processes say of themselves. ``silent``: those that did not answer, with the reason."""

    breakers: tuple[Breaker, ...] = ()
    traffic: tuple[Traffic, ...] = ()
    silent: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that was told: a step, a process that fell, an action of a person."""

    at: float
    what: str
    said: str
    fall: bool = False


def as_json(value: Any) -> Any:
    """Dataclasses as dictionaries, also within lists; anything else as it is."""
    if isinstance(value, (list, tuple)):
        return [as_json(each) for each in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
