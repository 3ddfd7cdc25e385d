"""Files are written all or none: new ones first, and what is there already last."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

UNHEARD = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def write(root: Path, new: Mapping[str, str], changed: Mapping[str, str]) -> None:
    """Path below ``root`` -> content. On any error, Ctrl-C included, the folder is as it was before.

    Raises:
        OSError: as the system says it; FileExistsError where a new file is there meanwhile.
    """
    # Beside its target, so that a move is a change of name.
    with _undisturbed(), tempfile.TemporaryDirectory(prefix=".slipway-new-", dir=root) as folder, ExitStack() as undo:
        staged = Path(folder)
        for path, content in (*new.items(), *changed.items()):
            _write(staged / "new" / path, content)
        _format(root, [staged / "new" / path for path in new if path.endswith(".py")])
        for path in new:
            _create_folders((root / path).parent, undo)
            _create(staged / "new" / path, root / path, undo)
        for path in changed:
            target = (root / path).resolve()  # a link stays one
            _keep(target, staged / "old" / path, undo)
            shutil.copymode(target, staged / "new" / path)
            _replace(staged / "new" / path, target)
        undo.pop_all()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A signal that comes meanwhile is heard afterwards, when all is written.

    Handlers are put off and not signals masked: a mask is one thread's, and another one would take the signal.
    """
    if threading.current_thread() is not threading.main_thread():  # which hears them, and may not be told not to
        yield
        return
    heard: list[int] = []
    before = {each: signal.signal(each, lambda number, _: heard.append(number)) for each in UNHEARD}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
        for number in dict.fromkeys(heard):
            signal.raise_signal(number)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _create_folders(folder: Path, undo: ExitStack) -> None:
    if not folder.exists():
        _create_folders(folder.parent, undo)
        folder.mkdir()
        undo.callback(folder.rmdir)


def _create(staged: Path, target: Path, undo: ExitStack) -> None:
    if os.path.lexists(target):
        raise FileExistsError(f"{target} is there meanwhile")
    undo.callback(target.unlink, missing_ok=True)
    _replace(staged, target)


def _keep(target: Path, copy: Path, undo: ExitStack) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(target, copy)
    undo.callback(os.replace, copy, target)


def _replace(staged: Path, target: Path) -> None:
    staged.replace(target)


def _format(root: Path, python: list[Path]) -> None:
    """Names differ in length: what fits a line is the formatter's to say, where there is one."""
    beside = Path(sys.executable).with_name("ruff")
    ruff = str(beside) if beside.exists() else shutil.which("ruff")
    if ruff and python:
        subprocess.run([ruff, "format", "-q", "--no-cache", *map(str, python)], cwd=root, check=False)
