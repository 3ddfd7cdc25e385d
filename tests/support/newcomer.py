"""Somebody with an empty home and an empty folder, who types what a page says. Nothing of this repository is in reach.

Our packages come from a folder, as they would from an index; those of others from where this machine takes its own.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from support.repository import ROOT

PACKAGES = ROOT / "build" / "packages"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))


def blocks_of(page, section):
    """The commands of each block in a section of a page of docs; one that goes on in the next line is one."""
    text = (ROOT / "docs" / page).read_text().split(f"\n## {section}", 1)[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [re.split(r"(?<!\\)\n", block.strip()) for block in blocks]


class Newcomer:
    """``typed``: how many commands, and ``told`` what each took. The folder changes where a command changes it.

    ``programs`` are found besides those of the system and uv; ``environment`` is over that of this machine.
    """

    def __init__(self, above, *, programs=(), environment=None):
        self.home, self.folder = above / "home", above / "work"
        (above / "bin").mkdir(parents=True)
        for program in (ROOT / ".venv/bin/uv", *programs):
            shutil.copy(program, above / "bin")
        for folder in (self.home, self.folder):
            folder.mkdir()
        foreign = ("PYTHON", "VIRTUAL_ENV", "PYTEST")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
            "HOME": str(self.home),
            "PATH": f"{self.home}/.local/bin:{above}/bin:/usr/local/bin:/usr/bin:/bin",
            "XDG_CACHE_HOME": str(CACHE),
            **index_of_this_machine(),
            **(environment or {}),
        }
        self.told = []

    @property
    def typed(self):
        return len(self.told)

    def types(self, line, *, code=0, within=300):
        """What the command printed; the folder that it ends in is the next one's."""
        began, ends = time.monotonic(), self.home / ".ends"
        done = subprocess.run(
            ["bash", "-c", f"{line}\nended=$?; pwd >{shlex.quote(str(ends))}; exit $ended"], cwd=self.folder,
            env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=within,
        )  # fmt: skip
        self.told.append(f"{time.monotonic() - began:5.1f} s  {line}")
        self.folder = Path(ends.read_text().strip())
        assert done.returncode == code, f"$ {line}\n{done.stdout[-4000:]}"
        return done.stdout

    @contextmanager
    def leaves_running(self, line, *, says="stopped; no process is left"):
        """What is typed in another terminal, and ended there by Ctrl-C; that is what it has to have said in the end.
        Gives what tells all that was said so far.
        """
        self.told.append(f"         {line}")
        log = self.home / ".said"
        with log.open("wb") as written:
            running = subprocess.Popen(
                ["bash", "-c", f"exec {line}"], cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL,
                stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            yield log.read_text
        finally:
            os.killpg(running.pid, signal.SIGINT)
            try:
                running.wait(90)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
            print(log.read_text())
        assert says in log.read_text()

    def left(self):
        """Files of ours that somebody finds in the home after all was removed; caches are no part of it."""
        return [str(path) for path in self.home.rglob("*") if "slipway" in path.name]


def index_of_this_machine():
    """uv is told what pip was told here: a mirror, certificates."""
    listed = subprocess.run(
        ["bash", "-c", ".venv/bin/pip config list | .venv/bin/python ci/pip_settings.py"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    ).stdout  # fmt: skip
    told = dict(line.split("=", 1) for line in listed.splitlines()) | {"UV_SYSTEM_CERTS": "true"}
    told["UV_FIND_LINKS"] = ",".join(filter(None, [str(PACKAGES), told.get("UV_FIND_LINKS")]))
    return told
