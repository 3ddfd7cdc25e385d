"""What people ask of a running ``slipway up``, from another terminal: each changes one file, the desired release.

``slipway up`` reads it, and writes a journal that is followed here. Nothing else passes between the two.
"""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ...errors import LocalRuntimeError, NotRunning, ReleaseEnded
from ...spec.microservice import Suspend
from ...spec.status import MicroserviceStatus
from .layout import Layout
from .progress import in_words
from .state import DesiredRelease, Files, GateRun
from .system import Service, System
from .versions import Version, Versions

POLL_SECONDS = 0.1
# ``slipway up`` looks several times a second; it answers within this, or it is gone.
ANSWER_SECONDS = 30.0
# Phases in which nothing goes on until somebody says so.
AWAITS = frozenset({"Waiting", "Suspended"})


class Controls:
    """Of one service on one data folder."""

    def __init__(self, layout: Layout, system: System, name: str) -> None:
        self.service = _named(system, name)
        self.layout = layout
        layout.require_running()
        self._files = Files(layout.releases(name))
        self._versions = Versions(self._files.folder, self.service)

    # --- asking
    def release(self, label: str, *, source: Path | None, env: Mapping[str, str]) -> DesiredRelease:
        """A new version, or a kept one of that name."""
        if self.service.port:
            raise LocalRuntimeError(
                f"{self.service.name} always listens on port {self.service.port}, so two versions can't run side by "
                "side: let its command take ${port}, and remove port from pyproject.toml"
            )
        kept = {version.label: version for version in self._versions.all().values()}
        if label in kept and source is None and not env:
            version = kept[label]
        else:
            version = self._versions.keep(label, source=source, env=env)
        with self._desired_release() as desired_release:
            # The same release again asks for another try.
            again = desired_release.retry + 1 if version.hash == desired_release.version else desired_release.retry
            made = desired_release.model_copy(
                update={"version": version.hash, "pinned": None, "promote": None, "retry": again}
            )
            return self._write(made)

    def rollback(self, reference: str | None) -> DesiredRelease:
        version = self._versions.named(reference) if reference else self.former()
        with self._desired_release() as desired_release:
            return self._write(desired_release.model_copy(update={"pinned": version.hash}))

    def promote(self) -> DesiredRelease:
        with self._desired_release() as desired_release:
            return self._write(desired_release.model_copy(update={"promote": desired_release.version}))

    def suspend(self, what: Suspend) -> DesiredRelease:
        """Stops all processes of the service, or those that write and read events, on purpose; ``None`` lets them run
        again. It stays so when ``slipway up`` ends and is started again.
        """
        with self._desired_release() as desired_release:
            if desired_release.suspend == what:
                return desired_release
            return self._write(desired_release.model_copy(update={"suspend": what}))

    def former(self) -> Version:
        """The version before this one: a release that goes on is given up, one that is over is taken back.
        LocalRuntimeError where there is none.
        """
        status, versions = self.status(), self._versions.all()
        if status.release and not status.release.accepted_at and status.stable_version in versions:
            return versions[status.stable_version]
        for record in reversed(status.history):
            if record.result == "Succeeded" and record.version != status.active_version and record.version in versions:
                return versions[record.version]
        raise LocalRuntimeError(f"{self.service.name} has no former version that could come back")

    @contextmanager
    def _desired_release(self) -> Iterator[DesiredRelease]:
        """One writer at a time: two terminals must not overwrite each other."""
        with (self._files.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            desired_release = self._files.desired_release()
            if desired_release is None:
                raise NotRunning(f"{self.service.name} has not been started yet on {self.layout.data}")
            yield desired_release

    def _write(self, desired_release: DesiredRelease) -> DesiredRelease:
        made = desired_release.model_copy(update={"generation": desired_release.generation + 1})
        self._files.write_desired_release(made)
        return made

    # --- following
    def versions(self) -> dict[str, Version]:
        """Those that are kept, by hash."""
        return self._versions.all()

    def goes_back_to(self, version: str) -> bool:
        """Whether a rollback may name the hash: of the working tree, which is always there, it may be no more."""
        return version in self._files.state().versions

    def asked_for(self) -> str:
        """The hash of the version that people want, whether it answers already or not; empty before the first start."""
        desired_release = self._files.desired_release()
        return desired_release.wanted if desired_release else ""

    def status(self) -> MicroserviceStatus:
        return self._files.status()

    def gates(self) -> tuple[GateRun, ...]:
        """What gates found, those of former releases included as long as they are remembered."""
        return self._files.state().gates

    def journal_end(self) -> int:
        journal = self._journal
        return journal.stat().st_size if journal.exists() else 0

    @property
    def _journal(self) -> Path:
        return self._files.folder / "journal"

    def follow(self, desired_release: DesiredRelease, begin: int, tell: Callable[[str, str], None]) -> None:
        """Tells the journal's lines until the release has come true; ReleaseEnded when it was not."""
        ends = time.monotonic() + ANSWER_SECONDS
        while True:
            status = self.status()
            begin = self._tell_from(begin, tell)
            if status.observed_generation >= desired_release.generation:
                if _over(status):
                    self._tell_from(begin, tell)
                    self._judge(status, desired_release)
                    return
                ends = time.monotonic() + ANSWER_SECONDS
            if time.monotonic() > ends or not self.layout.is_locked():
                raise NotRunning(
                    f"slipway up on {self.layout.data} has ended; started again, it goes on with this release"
                )
            time.sleep(POLL_SECONDS)

    def _tell_from(self, begin: int, tell: Callable[[str, str], None]) -> int:
        if not self._journal.exists():
            return begin
        with self._journal.open() as journal:
            journal.seek(begin if begin <= self._journal.stat().st_size else 0)
            while (line := journal.readline()).endswith("\n"):
                _, what, remark = line.rstrip("\n").split("\t", 2)
                tell(what, remark)
                begin = journal.tell()
        return begin

    def _judge(self, status: MicroserviceStatus, desired_release: DesiredRelease) -> None:
        wanted, versions = desired_release.wanted, self._versions.all()
        if status.phase in AWAITS:
            return
        if status.active_version == wanted and status.phase == "Released":
            return
        why = status.held_version.message if status.held_version else status.blocked_by
        label = versions[wanted].label if wanted in versions else wanted
        active = versions.get(status.active_version)
        raise ReleaseEnded(
            f"{self.service.name} stays with version {active.label if active else '?'}: {label} is not released, "
            f"because {in_words(why, versions)}"
        )

    # --- showing
    def rows(self) -> Iterator[tuple[str, str]]:
        """Version and what it is, the newest first."""
        status, versions = self.status(), self._versions.all()
        for version in sorted(versions.values(), key=lambda each: each.made, reverse=True):
            yield version.label, ", ".join(_said(version, status))

    def sentence(self) -> str:
        status, versions = self.status(), self._versions.all()
        said = f"{status.phase} {status.step}".strip()
        return f"{said}: {in_words(status.blocked_by, versions)}" if status.blocked_by else said


def _said(version: Version, status: MicroserviceStatus) -> Iterator[str]:
    if version.hash == status.active_version:
        yield f"answers requests ({status.readiness} ready)"
    if version.hash == status.candidate_version:
        yield "is being released"
    if status.held_version and version.hash == status.held_version.version:
        yield "is held back"
    if any(each.version == version.hash for each in status.draining):
        yield "stays up for a way back"
    yield f"from {version.origin}" if version.origin else "the working tree"


def _over(status: MicroserviceStatus) -> bool:
    return status.phase in {"Released", "Failed", "Blocked", *AWAITS}


def _named(system: System, name: str) -> Service:
    for service in system.services:
        if service.name == name:
            return service
    raise LocalRuntimeError(f"there is no service {name}, only: {', '.join(each.name for each in system.services)}")
