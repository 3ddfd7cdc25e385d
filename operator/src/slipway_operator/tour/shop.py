"""The running shop of a lesson: its patterns taken away by releases, and put back by rollbacks."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

from slipway_gateway.inner import endpoints_file, endpoints_name

from ..errors import LessonFailed
from ..runtimes.local.layout import Layout, remembered
from ..runtimes.local.leftovers import Leftovers
from ..runtimes.local.releasing import Controls
from ..runtimes.local.state import DesiredRelease
from ..runtimes.local.system import System, read
from ..runtimes.local.versions import DEV, code_of
from .faults import waited
from .lesson import Lesson, naive_of

Tell = Callable[[str, str], None]
LEAVE_SECONDS = 60
WITHOUT = "without-"


class RunningShop:
    """``data`` is the folder of ``slipway up``; NotRunning where nothing runs there. ``tell`` gets each step of a
    release.
    """

    def __init__(self, project: Path, data: Path, tell: Tell) -> None:
        gateway, base = remembered(data)
        self.layout = Layout(data, gateway=gateway, base=base)
        self.system: System = read(project)
        self._tell = tell

    def controls(self, service: str) -> Controls:
        return Controls(self.layout, self.system, service)

    def port_of(self, place: str) -> int:
        """The gateway, or the address of a service behind it, which other services use."""
        if place == "gateway":
            return self.layout.gateway
        names = [service.name for service in self.system.services]
        if place not in names:
            raise LessonFailed(f"there is no service {place} here, only: {', '.join(names)}")
        return self.layout.inner(names.index(place), "http")

    def addresses(self) -> dict[str, str]:
        """Where other services ask each service that answers HTTP, by its name in capitals."""
        return {
            service.name.upper(): f"http://127.0.0.1:{self.port_of(service.name)}"
            for service in self.system.services
            if "http" in service.processes
        }

    def active(self, service: str) -> str:
        """The name of the version that answers."""
        controls = self.controls(service)
        version = controls.versions().get(controls.status().active_version or "")
        return version.label if version else DEV

    def asked_for(self, service: str) -> str:
        """The name of the version that was asked for last: it may be on its way."""
        controls = self.controls(service)
        version = controls.versions().get(controls.asked_for())
        return version.label if version else DEV

    def lacks(self, lesson: Lesson) -> bool:
        """Whether the pattern is away, or about to be."""
        return any(name.startswith(lesson.prefix) for name in self._broken(lesson.runnable.service))

    def lacks_any(self, service: str) -> bool:
        """The same of any pattern: what is measured then is measured of a service that is not whole."""
        return bool(self._broken(service))

    def require_whole(self, service: str) -> None:
        """LessonFailed that says what to mend. Who takes away one pattern after the other loses the way back, since few
        versions are kept.
        """
        for name in self._broken(service):
            number = name.removeprefix(WITHOUT).partition("-")[0]
            raise LessonFailed(f"{service} is without a pattern already ({name}): slipway mend {number} first")

    def _broken(self, service: str) -> list[str]:
        names = self.active(service), self.asked_for(service)
        return [name for name in names if name.startswith(WITHOUT)]

    # --- off and on
    def take_away(self, lesson: Lesson) -> str:
        """Releases the lesson's service without the pattern; gives the name of that version."""
        run, controls = lesson.runnable, self.controls(lesson.runnable.service)
        settings = self._filled(run.set)
        if not run.naive:
            label = lesson.label(settings)
            self._release(controls, label, None, settings)
            return label
        with self._naive_code(lesson) as folder:
            label = lesson.label([settings, _texts(folder)])
            self._release(controls, label, folder, settings)
        return label

    def put_back(self, service: str, label: str | None = None) -> bool:
        """Rolls back to that version, or to the last one that had everything. False: it answers already."""
        controls = self.controls(service)
        wanted = label or self._last_whole(controls)
        if self.active(service) == wanted == self.asked_for(service):
            return False
        begin = controls.journal_end()
        controls.follow(self._back(controls, wanted), begin, self._tell)
        self.wait_for_leaving()
        return True

    def _back(self, controls: Controls, label: str) -> DesiredRelease:
        """A rollback; or a release of the working tree, where so many lessons were run that it is kept no more."""
        hashes = [version.hash for version in controls.versions().values() if version.label == label]
        if label == DEV and not any(map(controls.goes_back_to, hashes)):
            return controls.release(label, source=None, env={})
        return controls.rollback(label)

    def release_next(self, service: str, label: str) -> None:
        """The working tree under a new name, as any release."""
        self._release(self.controls(service), label, None, {})

    def _release(self, controls: Controls, label: str, source: Path | None, settings: Mapping[str, str]) -> None:
        begin = controls.journal_end()
        controls.follow(controls.release(label, source=source, env=settings), begin, self._tell)
        self.wait_for_leaving()

    def _last_whole(self, controls: Controls) -> str:
        status, versions = controls.status(), controls.versions()
        for record in reversed(status.history):
            version = versions.get(record.version)
            if version and record.result == "Succeeded" and not version.label.startswith(WITHOUT):
                return version.label
        return DEV

    def wait_for_leaving(self) -> None:
        """Until the former version has left: a lesson means the processes of one."""
        for _ in waited(LEAVE_SECONDS):
            names = [name for name, _ in Leftovers(self.layout.data / "processes.json").running()]
            if len(names) == len(set(names)):
                return
        raise LessonFailed(f"a former version did not leave within {LEAVE_SECONDS} s: slipway status says why")

    # --- the code without the pattern
    @contextmanager
    def _naive_code(self, lesson: Lesson) -> Iterator[Path]:
        """The service's own code beside ``naive.py``, which it imports before anything else."""
        run = lesson.runnable
        [service] = [each for each in self.system.services if each.name == run.service]
        found = code_of(service, None)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "src", found.name)
            shutil.copytree(found, copy, ignore=shutil.ignore_patterns("__pycache__"))
            (copy / "naive.py").write_text(naive_of(lesson))
            package = copy / "__init__.py"
            package.write_text(f"{package.read_text()}\nfrom . import naive\n")
            yield Path(folder)

    def _filled(self, settings: Mapping[str, str]) -> dict[str, str]:
        """With the ports that services have now in place of ``${users_port}``."""
        known = {
            f"{service.name}_port": str(port) for service in self.system.services if (port := self._own(service.name))
        }
        try:
            return {name: Template(value).substitute(known) for name, value in settings.items()}
        except (KeyError, ValueError) as error:
            raise LessonFailed(
                f"the lesson's setting names {error}, and only this is known: {', '.join(known)}"
            ) from None

    def _own(self, service: str) -> int:
        """Where the active version listens itself; 0: nowhere."""
        file = Path(endpoints_file(str(self.layout.endpoints), endpoints_name(service, "http")))
        try:
            return next(_ports(json.loads(file.read_text())), 0)
        except (OSError, ValueError):
            return 0


def _ports(found: Any) -> Iterator[int]:
    if isinstance(found, dict):
        for name, value in found.items():
            if name == "port_value":
                yield int(value)
            yield from _ports(value)
    elif isinstance(found, list):
        for value in found:
            yield from _ports(value)


def _texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.py"))}
