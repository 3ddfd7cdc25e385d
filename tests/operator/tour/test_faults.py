import json
import signal
import subprocess
import sys

import psutil
import pytest

from slipway_chassis.testing.plugin import eventually
from slipway_operator.errors import LessonFailed
from slipway_operator.tour import faults
from slipway_operator.tour.faults import freeze, kill, named, processes_of, restart

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture(name="sleeper")
def _sleeper():
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.send_signal(signal.SIGCONT)
        process.kill()


def written(folder, name, process, *, later=0.0):
    started = psutil.Process(process.pid).create_time() + later
    (folder / "processes.json").write_text(json.dumps([[name, process.pid, started]]))
    return folder


def test_a_process_is_killed_by_the_name_that_the_run_gave_it(tmp_path, sleeper):
    kill(written(tmp_path, "orders http", sleeper), "orders http")

    assert sleeper.wait(10) == -signal.SIGKILL


def test_a_process_that_is_restarted_is_asked_to_end_and_waited_for(tmp_path):
    # It waits for the signal: a handler would run in the middle of the first line, where nothing can be printed.
    polite = (
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); print('here', flush=True);"
        "signal.sigwait([signal.SIGTERM]); print('bye', flush=True)"
    )
    with subprocess.Popen([sys.executable, "-S", "-c", polite], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        restart(written(tmp_path, "orders http", process), "orders http")

        assert not psutil.pid_exists(process.pid)
        assert process.stdout.read() == "bye\n"


def test_what_is_no_service_is_not_restarted(tmp_path, sleeper):
    with pytest.raises(LessonFailed, match="PostgreSQL is no process of a service: slipway fault kill postgresql"):
        restart(written(tmp_path, "PostgreSQL", sleeper), "PostgreSQL")

    assert sleeper.poll() is None


def test_a_process_that_does_not_end_is_no_restart(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "STOP_SECONDS", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-S", "-c", deaf], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(LessonFailed, match="orders http did not end within"):
            restart(written(tmp_path, "orders http", process), "orders http")
        process.kill()


def test_a_frozen_process_goes_on_even_when_the_lesson_is_interrupted(tmp_path, sleeper, monkeypatch):
    process = psutil.Process(sleeper.pid)

    def interrupted(_):
        monkeypatch.undo()
        eventually(lambda: process.status() == psutil.STATUS_STOPPED)
        raise KeyboardInterrupt

    monkeypatch.setattr("slipway_operator.tour.faults.time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        freeze(written(tmp_path, "Kafka", sleeper), "Kafka", 1)

    eventually(lambda: process.status() != psutil.STATUS_STOPPED)


def test_nobody_else_is_touched(tmp_path, sleeper):
    """A number is given again to others: who started at another time is another."""
    with pytest.raises(LessonFailed, match="no process orders http runs here, only: none"):
        processes_of(written(tmp_path, "orders http", sleeper, later=5), "orders http")
    with pytest.raises(LessonFailed, match="no process orders grpc runs here, only: orders http"):
        kill(written(tmp_path, "orders http", sleeper), "orders grpc")

    assert sleeper.poll() is None


@pytest.mark.parametrize("word", ["orders.http", "orders http", "Orders.HTTP"])
def test_a_process_is_named_as_people_write_it(tmp_path, sleeper, word):
    assert named(written(tmp_path, "orders http", sleeper), word) == "orders http"


@pytest.mark.parametrize("word", ["orders", "orders.", "http", "*", "../orders.http", ""])
def test_who_names_no_process_is_told_what_there_is(tmp_path, sleeper, word):
    with pytest.raises(LessonFailed, match=r"^no process .* runs here, only: orders\.http$"):
        named(written(tmp_path, "orders http", sleeper), word)
