"""Child processes: they end with their parent, and start safely from a process with threads."""

import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest

from slipway_chassis.embedded.processes import Child
from slipway_chassis.testing.plugin import eventually


def ended(process: psutil.Process) -> bool:
    """Nobody collects it where the test's system has no init of its own: it may stay as a zombie."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="other systems can't tie a process to its parent")
def test_a_child_ends_when_its_parent_is_killed(tmp_path):
    code = """
        import pathlib, sys, time
        from slipway_chassis.embedded.processes import Child
        child = Child("sleeper", ["sleep", "600"], pathlib.Path(sys.argv[1]) / "log", {"PATH": sys.argv[2]})
        child.start()
        print(child.pid, flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), os.environ["PATH"]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        sleeper = psutil.Process(int(parent.stdout.readline()))
        eventually(lambda: sleeper.name() == "sleep")
        parent.kill()

    eventually(lambda: ended(sleeper))


def test_a_program_starts_as_a_shell_would_start_it(tmp_path):
    """Python ignores SIGPIPE, and what it becomes would go on ignoring it: a pipeline that ended would be an error."""
    status = tmp_path / "log"
    child = Child("status", ["cat", "/proc/self/status"], status, {"PATH": os.environ["PATH"]})

    child.start()

    assert child.wait(30) == 0
    [ignored] = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigIgn")]
    assert not int(ignored, 16) & 1 << (signal.SIGPIPE - 1)


def test_a_missing_program_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="relay: there is no program no-such-program"):
        Child("relay", ["no-such-program"], tmp_path / "log").start()
