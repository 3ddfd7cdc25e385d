"""What a runtime may be asked to do: one effect each, safe to repeat, and right on its own.

A step is justified by what was observed, never by the step before it. So any prefix of a plan may be carried out.
"""

from dataclasses import dataclass
from typing import Literal

from .observed import MigrationKind, Noted


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """With copies of its configuration."""

    version: str
    revision: int


@dataclass(frozen=True, slots=True)
class StartMigration:
    """A Job of an earlier attempt is replaced; one of this attempt stays."""

    version: str
    kind: MigrationKind
    attempt: int


@dataclass(frozen=True, slots=True)
class ScaleServing:
    version: str
    component: str
    replicas: int


@dataclass(frozen=True, slots=True)
class ScaleWorkers:
    version: str
    component: str
    replicas: int


@dataclass(frozen=True, slots=True)
class SelectPreview:
    version: str | None  # None: the preview Service selects nothing, and answers nothing


@dataclass(frozen=True, slots=True)
class RunGate:
    gate: str
    version: str
    attempt: int
    run: int


@dataclass(frozen=True, slots=True)
class SwitchActive:
    """The version, or ANY while pods are replaced one by one."""

    version: str


@dataclass(frozen=True, slots=True)
class MarkDraining:
    """Its pods answer and close kept-alive connections, and stay up for a way back."""

    version: str


@dataclass(frozen=True, slots=True)
class UnmarkDraining:
    """It gets requests again: what was done to its pods as those of a former version is forgotten."""

    version: str


@dataclass(frozen=True, slots=True)
class RenewPods:
    """Each of its pods that serve is replaced, when another one is ready: kept-alive connections end with the pod."""

    version: str


@dataclass(frozen=True, slots=True)
class RetireVersion:
    """Writes into its record why it can't become active any more."""

    version: str
    because: str


@dataclass(frozen=True, slots=True)
class NoteActivity:
    """Writes into its record when it was active, and why it no longer is: for people, nothing rests on it."""

    version: str
    noted: Noted


@dataclass(frozen=True, slots=True)
class ForgetVersion:
    version: str


@dataclass(frozen=True, slots=True)
class Emit:
    """An Event, at most once: it is told when the facts change, and not again.

    The texts stand where it is decided to tell them: ``decisions``, ``suspension``, ``unaccepted``, ``status``.
    """

    reason: str
    message: str
    kind: Literal["Normal", "Warning"] = "Normal"


Step = (
    RecordVersion
    | StartMigration
    | ScaleServing
    | ScaleWorkers
    | SelectPreview
    | RunGate
    | SwitchActive
    | MarkDraining
    | UnmarkDraining
    | RenewPods
    | RetireVersion
    | NoteActivity
    | ForgetVersion
    | Emit
)
