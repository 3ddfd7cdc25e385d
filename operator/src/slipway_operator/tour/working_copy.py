"""A copy of the repository, in which changes are planted and checks run. Neither git nor the reader's own files are
touched, and the copy is removed with all that its checks have made.
"""

import importlib.util
import json
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from slipway_chassis.config import MachineSettings, load
from slipway_chassis.embedded.processes import Child
from slipway_chassis.errors import EmbeddedError

from ..errors import LessonFailed
from .checks import Change, Check, Edit

COPIED = ("pyproject.toml", "services", "tests", "docs/patterns")
CHECK_SECONDS, STOP_SECONDS = 300, 30
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
_RED = re.compile(r"^(?:FAILED|ERROR) \S*?::(\w+)", re.MULTILINE)
_PASSED = re.compile(r"^\d+ passed", re.MULTILINE)  # a process that ends of itself says nothing
GREEN, TESTS_ARE_RED, CONTRACTS_BREAK = 0, 1, 1


class WorkingCopy:
    """``project``: the clone it is made of. ``folder``: where it lies, beside what checks write."""

    def __init__(self, project: Path, folder: Path) -> None:
        self._project, self._root = project, folder / "copy"
        self._written = folder / "written"
        self._logs = (folder / f"check-{number}.log" for number in count(1))

    def red(self, check: Check) -> tuple[str, ...]:
        """The names of tests that fail, and of services whose contracts don't fit any more; empty: all is green."""
        red = self._red_tests(check.tests) if check.tests else ()
        return (*red, *(self._red_contracts() if check.contracts else ()))

    @contextmanager
    def planted(self, change: Change) -> Iterator[None]:
        """Until the block ends."""
        before = {path: path.read_text() for path in {self._root / edit.file for edit in change.edits}}
        try:
            for edit in change.edits:
                self._plant(edit)
            if change.exported:
                self._export(change.exported)
            yield
        finally:
            for path, text in before.items():
                path.write_text(text)
            if change.exported:
                contracts = Path("services", change.exported, "contracts")
                shutil.rmtree(self._root / contracts)
                shutil.copytree(self._project / contracts, self._root / contracts)

    def _plant(self, edit: Edit) -> None:
        path = self._root / edit.file
        text = path.read_text()
        if edit.old not in text:
            raise LessonFailed(
                f"{edit.file} has no {edit.old!r} that could be changed: it is not as the lesson knows it"
            )
        path.write_text(text.replace(edit.old, edit.new))

    # --- checks
    def _red_tests(self, tests: tuple[str, ...]) -> tuple[str, ...]:
        code, log = self._run("-m", "pytest", "-q", "--tb=no", *tests)
        red = tuple(dict.fromkeys(_RED.findall(log)))
        ended = _PASSED.search(log) if code == GREEN else code == TESTS_ARE_RED and red
        if not ended:
            raise LessonFailed(f"{' '.join(tests)} could not be run to their end:\n{_end(log)}")
        return red

    def _red_contracts(self) -> tuple[str, ...]:
        """As ``make contracts`` asks, with the clone as it is in place of an earlier commit."""
        asked = ["contracts", "check", "--against", str(self._project), "--output", "json"]
        code, log = self._run("-m", "slipway_chassis", *asked)
        try:
            services: dict[str, Any] = json.loads(log)["services"]
        except (ValueError, KeyError):
            raise LessonFailed(f"contracts could not be compared:\n{_end(log)}") from None
        red = tuple(name for name, verdict in services.items() if not verdict["ok"])
        if code not in (GREEN, CONTRACTS_BREAK) or bool(red) is (code == GREEN):
            raise LessonFailed(f"contracts could not be compared:\n{_end(log)}")
        return red

    def _export(self, service: str) -> None:
        """As ``make generate`` does."""
        folder = f"services/{service}"
        asked = ["contracts", "export", service, "--to", f"{folder}/contracts", "--project", f"{folder}/pyproject.toml"]
        code, log = self._run("-m", "slipway_chassis", *asked)
        if code != GREEN:
            raise LessonFailed(f"the contracts of {service} could not be written:\n{_end(log)}")

    def _run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of Python with the copy's code."""
        self._written.mkdir(exist_ok=True, mode=0o755)
        machine = {name.upper(): value for name, value in load(MachineSettings).model_dump().items() if value}
        environment = machine | {
            "PYTHONPATH": ":".join(str(path) for path in sorted(self._root.glob("services/*/src"))),
            "PYTHONDONTWRITEBYTECODE": "1",  # of a file that changes and keeps its size, the former would be run
            "TMPDIR": str(self._written),
        }
        log = next(self._logs)
        argv = [sys.executable, *arguments]
        child = Child(arguments[1], argv, log, env=environment, folder=self._root, stop_signal=signal.SIGINT)
        child.start()
        try:
            code = child.wait(CHECK_SECONDS)
        except EmbeddedError as error:
            raise LessonFailed(str(error)) from None
        finally:
            child.stop(STOP_SECONDS)
        return code, log.read_text(errors="replace")


@contextmanager
def working_copy(project: Path) -> Iterator[WorkingCopy]:
    """LessonFailed where the project is no clone, or tests can't be run by this Python."""
    missing = [name for name in COPIED if not (project / name).exists()]
    if missing:
        raise LessonFailed(f"this lesson changes a copy of a clone of Slipway, and {project} has no {missing[0]}")
    if importlib.util.find_spec("pytest") is None:
        raise LessonFailed("this lesson runs tests, and pytest is not here: make setup, then .venv/bin/slipway tour")
    with tempfile.TemporaryDirectory(prefix="slipway-lesson-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's own user has to enter
        for each in COPIED:
            _copy(project / each, folder / "copy" / each)
        yield WorkingCopy(project, folder)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=_LEFT_OUT)
        else:
            shutil.copy2(source, target)
    except (shutil.Error, OSError) as error:
        raise LessonFailed(f"{source} can't be copied: {error}") from None


def _end(log: str) -> str:
    return "\n".join(log.splitlines()[-12:])
