"""What is wanted of one service on this machine: the objects that a cluster would keep, in one file.

Steps change it, and the processes, endpoints and marks follow. It is written before anything follows, as a whole.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ...planning.observed import GateState, JobState, MigrationKind, Noted
from ...spec.microservice import Suspend
from ...spec.status import MicroserviceStatus
from ...spec.stored import read_stored

ModelT = TypeVar("ModelT", bound=BaseModel)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Kept(_Model):
    """A version as the release knows it. ``wanted``: processes of each component. ``noted``: for people."""

    revision: int
    wanted: Mapping[str, int] = {}
    draining: bool = False
    retired: str = ""
    noted: Noted = Noted()


class Migration(_Model):
    version: str
    kind: MigrationKind
    attempt: int
    state: JobState = JobState.RUNNING
    message: str = ""


class GateRun(_Model):
    version: str
    gate: str
    attempt: int
    run: int
    started: datetime
    first_started: datetime
    state: GateState = GateState.RUNNING
    finished: datetime | None = None
    message: str = ""


class ServiceState(_Model):
    """``forgotten``: versions whose code can be removed."""

    versions: Mapping[str, Kept] = {}
    active: str | None = None
    preview: str | None = None
    migrations: tuple[Migration, ...] = ()
    gates: tuple[GateRun, ...] = ()
    forgotten: tuple[str, ...] = ()

    def wants(self, version: str, component: str) -> int:
        kept = self.versions.get(version)
        return kept.wanted.get(component, 0) if kept else 0


class DesiredRelease(_Model):
    """What people want: written by ``slipway release`` and ``slipway rollback``, read by ``slipway up``.

    ``suspend``: what is stopped on purpose, as ``spec.suspend`` of a Microservice.
    """

    version: str
    generation: int = 1
    retry: int = 0
    pinned: str | None = None
    promote: str | None = None
    suspend: Suspend = "None"

    @property
    def wanted(self) -> str:
        """The hash of the version that is to answer: what a rollback names comes first."""
        return self.pinned or self.version


class Files:
    """Wish, state and status of one service. Each is replaced as a whole, so that nobody reads half of one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def desired_release(self) -> DesiredRelease | None:
        return _read(self.folder / "wish.json", DesiredRelease)

    def state(self) -> ServiceState:
        return _read_stored(self.folder / "state.json", ServiceState)

    def status(self) -> MicroserviceStatus:
        return _read_stored(self.folder / "status.json", MicroserviceStatus)

    def write_desired_release(self, desired_release: DesiredRelease) -> None:
        replace_file(self.folder / "wish.json", desired_release.model_dump_json(indent=1))

    def write_state(self, state: ServiceState) -> None:
        replace_file(self.folder / "state.json", state.model_dump_json(indent=1))

    def write_status(self, status: MicroserviceStatus) -> None:
        replace_file(self.folder / "status.json", status.model_dump_json(by_alias=True, exclude_none=True, indent=1))


def _read(file: Path, model: type[ModelT]) -> ModelT | None:
    """None: there is none, or nobody can read it any more; the release is derived anew from what runs."""
    try:
        return model.model_validate_json(file.read_text())
    except (FileNotFoundError, ValidationError):
        return None


def _read_stored(file: Path, model: type[ModelT]) -> ModelT:
    """What can be read of it, which an older or a newer program may have written."""
    try:
        return read_stored(model, json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return model()


def replace_file(file: Path, text: str, mode: int = 0o600) -> None:
    """Written beside it and moved there: whoever reads, or watches, sees the old one or the new one, and of two who
    write at once one wins.
    """
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".new")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "w") as written:
            os.fchmod(descriptor, mode)
            written.write(text)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
