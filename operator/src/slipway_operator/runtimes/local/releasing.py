"""What people ask of a running ``slipway up``, from another terminal: each changes one file, the wish of the service.

``slipway up`` reads it, and writes a journal that is followed here. Nothing else passes between the two.
"""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ...errors import LocalRuntimeError, NotRunning, ReleaseEnded
from ...spec.status import MicroserviceStatus
from .layout import Layout
from .state import Files, Wish
from .system import Service, System
from .telling import in_words
from .versions import Version, Versions

POLL_SECONDS = 0.1
# ``slipway up`` looks several times a second; it answers within this, or it is gone.
ANSWER_SECONDS = 30.0


class Controls:
    """Of one service on one data folder."""

    def __init__(self, layout: Layout, system: System, name: str) -> None:
        self.service = _named(system, name)
        self.layout = layout
        if not layout.is_locked():
            raise NotRunning(f"nothing runs on {layout.data}. Start it in another terminal: slipway up")
        self._files = Files(layout.releases(name))
        self._versions = Versions(self._files.folder, self.service)

    # --- asking
    def release(self, label: str, *, source: Path | None, env: Mapping[str, str]) -> Wish:
        """A new version, or a kept one of that name."""
        kept = {version.label: version for version in self._versions.all().values()}
        if label in kept and source is None and not env:
            version = kept[label]
        else:
            version = self._versions.keep(label, source=source, env=env)
        with self._wish() as wish:
            # The same wish again is the wish for another try.
            again = wish.retry + 1 if version.hash == wish.version else wish.retry
            made = wish.model_copy(update={"version": version.hash, "pinned": None, "retry": again})
            return self._write(made)

    def rollback(self, reference: str | None) -> Wish:
        version = self._versions.named(reference) if reference else self._former()
        with self._wish() as wish:
            return self._write(wish.model_copy(update={"pinned": version.hash}))

    def promote(self) -> Wish:
        with self._wish() as wish:
            return self._write(wish.model_copy(update={"promote": wish.version}))

    def _former(self) -> Version:
        """The version before this one: a release that goes on is given up, one that is over is taken back."""
        status, versions = self.status(), self._versions.all()
        if status.release and not status.release.accepted_at and status.stable_version in versions:
            return versions[status.stable_version]
        for record in reversed(status.history):
            if record.result == "Succeeded" and record.version != status.active_version and record.version in versions:
                return versions[record.version]
        raise LocalRuntimeError(f"{self.service.name} has no former version that could come back")

    @contextmanager
    def _wish(self) -> Iterator[Wish]:
        """One writer at a time: two terminals must not overwrite each other's wish."""
        with (self._files.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            wish = self._files.wish()
            if wish is None:
                raise NotRunning(f"{self.service.name} has not been started yet on {self.layout.data}")
            yield wish

    def _write(self, wish: Wish) -> Wish:
        made = wish.model_copy(update={"generation": wish.generation + 1})
        self._files.write_wish(made)
        return made

    # --- following
    def status(self) -> MicroserviceStatus:
        return self._files.status()

    def journal_end(self) -> int:
        journal = self._journal
        return journal.stat().st_size if journal.exists() else 0

    @property
    def _journal(self) -> Path:
        return self._files.folder / "journal"

    def follow(self, wish: Wish, begin: int, tell: Callable[[str, str], None]) -> None:
        """Tells the journal's lines until the wish is fulfilled; ReleaseEnded when it was not."""
        ends = time.monotonic() + ANSWER_SECONDS
        while True:
            status = self.status()
            begin = self._tell_from(begin, tell)
            if status.observed_generation >= wish.generation:
                if _over(status):
                    self._tell_from(begin, tell)
                    self._judge(status, wish)
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

    def _judge(self, status: MicroserviceStatus, wish: Wish) -> None:
        wanted = wish.pinned or wish.version
        versions = self._versions.all()
        if status.phase == "Waiting":
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
    return status.phase in {"Released", "Failed", "Blocked", "Waiting"}


def _named(system: System, name: str) -> Service:
    for service in system.services:
        if service.name == name:
            return service
    raise LocalRuntimeError(f"there is no service {name}, only: {', '.join(each.name for each in system.services)}")
