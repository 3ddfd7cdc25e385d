"""What is asked of the process that judges contracts, and what it says: as JSON, since it is another process.

Nothing here imports more than the standard library: that process is started for each question, in bounded memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

# One budget for all that a question takes.
PROCESSOR_SECONDS = 10
MEMORY_BYTES = 256 * 1024 * 1024  # of addresses; what is used is less
# Younger counters prove nothing: who calls once an hour was not seen yet.
RETIREMENT_QUIET_SECONDS = 3600.0

State = Literal["Passed", "Failed", "Inconclusive"]


@dataclass(frozen=True, slots=True)
class AdminPort:
    """Of one ready pod."""

    pod: str
    address: str  # http://10.0.0.1:9100
    since: float | None = None  # when its counters began, in seconds since 1970; None: unknown


@dataclass(frozen=True, slots=True)
class Asked:
    """A version, and the pods that can tell what it promises; the first one that answers speaks for all. ``silent``:
    its other pods, which have counted calls as well and can't be asked.
    """

    version: str
    ports: Sequence[AdminPort]
    silent: Sequence[str] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Asked":
        return cls(given["version"], [AdminPort(**each) for each in given["ports"]], given["silent"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May the candidate take the place of the active version? ``others``: the active versions of other services."""

    candidate: Asked
    active: Asked | None
    others: Mapping[str, Asked]
    allow_breaking: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Question":
        return cls(
            candidate=Asked.of(given["candidate"]),
            active=Asked.of(given["active"]) if given["active"] else None,
            others={name: Asked.of(each) for name, each in given["others"].items()},
            allow_breaking=given["allow_breaking"],
        )


@dataclass(frozen=True, slots=True)
class Answer:
    state: State
    message: str
    digests: Mapping[str, str] = field(default_factory=dict)  # of the candidate's contracts, for its record
