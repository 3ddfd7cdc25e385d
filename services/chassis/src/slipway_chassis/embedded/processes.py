"""Child processes that end with their parent, even when it is killed, and log to a file each."""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ..errors import EmbeddedError
from . import launch


def _launched(argv: Sequence[str], user: str | None, stop_signal: signal.Signals) -> list[str]:
    """The command by which the program becomes a child that ends with this process."""
    uid, gid = (pwd.getpwnam(user).pw_uid, grp.getgrnam("nogroup").gr_gid) if user else (launch.SAME, launch.SAME)
    told = [stop_signal, os.getpid(), uid, gid]
    return [sys.executable, "-I", "-S", launch.__file__, *(str(int(one)) for one in told), *argv]


@dataclass
class Child:
    """A process to start, stop and start again. ``user`` is for programs that refuse to run as root. It is started in
    ``folder``, by default in that of this process.
    """

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    folder: Path | None = None
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if shutil.which(self.argv[0], path=self.env.get("PATH", os.defpath)) is None:
            raise FileNotFoundError(f"{self.name}: there is no program {self.argv[0]}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                _launched(self.argv, self.user, self.stop_signal),
                env=dict(self.env),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C of a terminal goes to its whole process group; the parent decides the order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else -1

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout: float) -> int:
        """The exit code, or EmbeddedError with the end of the log when it does not end in time."""
        assert self._process  # noqa: S101 # wait comes after start
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise EmbeddedError(f"{self.name} did not end within {timeout:.0f} s.{self.last_words()}") from None

    def stop(self, timeout: float = 30.0) -> None:
        """Asks it to end, and kills it and its children when it does not."""
        if self._process is None or not self.alive:
            return
        family = self.family()
        self.ask_to_end()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.wait(10)

    def ask_to_end(self) -> None:
        """Sends the signal to stop, and does not wait."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self.stop_signal)

    def family(self) -> list[psutil.Process]:
        """The process and its descendants."""
        try:
            parent = psutil.Process(self.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def last_words(self, lines: int = 12) -> str:
        """The end of the log, for an error message."""
        if not self.log.exists():
            return ""
        end = self.log.read_text(errors="replace").splitlines()[-lines:]
        return f" The end of {self.log}:\n" + "\n".join(f"    {line}" for line in end)

    def start_and_wait(self, ready: Callable[[], bool], timeout: float) -> None:
        """Starts it and waits until it is ready; a process that does not get ready is stopped again."""
        self.start()
        try:
            self.wait_until(ready, timeout)
        except BaseException:
            self.stop()
            raise

    def is_up(self, ready: Callable[[], bool]) -> bool:
        """Whether ``ready`` says so; EmbeddedError when the process ended before that."""
        if ready():
            return True
        if not self.alive:
            raise EmbeddedError(f"{self.name} ended while starting.{self.last_words()}")
        return False

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        """Polls ``ready``; EmbeddedError when the process ends or the time is over before that."""
        deadline = time.monotonic() + timeout
        while not self.is_up(ready):
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} was not ready within {timeout:.0f} s.{self.last_words()}")
            time.sleep(0.05)


def port_open(port: int, host: str = "127.0.0.1") -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def port_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port nobody listens on now. For tests: somebody may take it before you do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
