"""What a runtime sees. Every look is complete: what is missing here does not exist."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal

from ..spec.fields import CONSUMING, RELAYING
from .facts import Facts

# The active Service selects the pods of all versions: so it is while pods are replaced one by one (Rolling).
ANY = "*"
# It selects what no version of ours has: a chart's pods that are taken over, or what somebody wrote by hand.
FOREIGN = "?"
MigrationKind = Literal["expand", "contract"]


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment of one version. One that does not exist has zeros."""

    wanted: int = 0  # spec.replicas
    pods: int = 0  # that exist, those being terminated included
    ready: int = 0
    endpoints: int = 0  # ready endpoints in EndpointSlices; only components that serve have them


# The reason of a problem: the API server takes something of the version not as it is.
REFUSED = "StepRefused"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why pods do not start, where waiting alone rarely helps: an image pull error, a crash loop, a bad template."""

    reason: str
    message: str
    since: datetime
    component: str = ""  # whose pods; empty: of the version


@dataclass(frozen=True, slots=True)
class Noted:
    """What its record says of the time in which it was active."""

    active_from: datetime | None = None
    active_until: datetime | None = None
    because: str = ""
    released: bool | None = None  # with success, ever; None: written before that was kept


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version with all its components, running or not."""

    version: str
    revision: int
    label: str
    serving: Mapping[str, Workload]
    workers: Mapping[str, Workload] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()  # at most one of each component, the oldest
    draining: bool = False  # its pods were told to close kept-alive connections
    closes_connections: bool = True  # when they are told
    renewed: bool = False  # its pods are others, or will be, than those that had the requests
    retired: str = ""  # why it can't become active any more
    recorded: bool = True  # False: it runs, and somebody deleted its record
    configured: bool = True  # False: copies of its configuration are still missing
    lost: bool = False  # and can't be made any more: what they were made of has changed
    forgotten: bool = False  # its record is being deleted, as far as others let it, and nothing else of it is left
    noted: Noted = Noted()

    @property
    def endpoints(self) -> int:
        """A version is as ready as its least ready component that serves."""
        return min([each.endpoints for each in self.serving.values()], default=0)

    @property
    def problem(self) -> Problem | None:
        return min(self.problems, key=lambda problem: problem.since, default=None)

    @property
    def consumer(self) -> str:
        """Its component that consumes; empty: there is none."""
        return next((name for name in CONSUMING if name in self.workers), "")

    @property
    def consumers(self) -> Workload:
        return self.workers.get(self.consumer, Workload())

    @property
    def relay(self) -> str:
        """Its component that sends what is in the outbox; empty: there is none."""
        return next((name for name in RELAYING if name in self.workers), "")

    @property
    def relays(self) -> Workload:
        return self.workers.get(self.relay, Workload())

    @property
    def wanted(self) -> int:
        return max([each.wanted for each in self.serving.values()], default=0)

    @property
    def stopped(self) -> bool:
        """No process of it is wanted."""
        return not any(each.wanted for each in (*self.serving.values(), *self.workers.values()))

    @property
    def pods(self) -> int:
        return sum([each.pods for each in self.serving.values()])


class JobState(Enum):
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class JobView:
    state: JobState
    attempt: int
    message: str = ""


class GateState(Enum):
    RUNNING = "Running"
    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"  # no data, no answer from Prometheus: neither good nor bad


@dataclass(frozen=True, slots=True)
class GateView:
    """The last run of a gate. ``attempt`` and ``run`` are those of the step RunGate that started it."""

    state: GateState
    attempt: int
    run: int
    started: datetime
    first_started: datetime  # of the first run of this attempt
    finished: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class GroupView:
    """The consumer group, as the broker has it."""

    known: bool = True  # the broker answered
    members: Mapping[str, int] = field(default_factory=dict)  # by version; "" for members of no known version
    settled: bool = True  # no rebalance goes on, and an empty group has its offsets committed


@dataclass(frozen=True, slots=True)
class Observed:
    facts: Facts
    versions: Mapping[str, VersionView] = field(default_factory=dict)
    active: str | None = None  # the version the active Service selects, ANY, or None: there is no such Service
    active_split: bool = False  # a second active Service (headless, for gRPC) selects another version
    active_endpoints: Mapping[str, int] = field(default_factory=dict)  # ready endpoints behind the active Service
    preview: str | None = None
    migrations: Mapping[tuple[str, MigrationKind], JobView] = field(default_factory=dict)
    gates: Mapping[tuple[str, str], GateView] = field(default_factory=dict)
    group: GroupView | None = None  # None: no version has a consumer
    not_ours: str = ""  # an object of a name that a new version needs, and that is somebody else's, as a sentence
    missing: str = ""  # what the spec's version can't be recorded without, as a sentence
