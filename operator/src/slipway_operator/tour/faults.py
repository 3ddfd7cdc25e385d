"""What goes wrong in the running ``slipway up``: its processes are frozen or killed, nobody else's, and its topics get
what is no event.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil

from slipway_chassis.config import KafkaSettings
from slipway_chassis.events import kafka
from slipway_chassis.events.kafka.groups import Groups
from slipway_chassis.events.ports import Record

from ..errors import LessonFailed
from ..runtimes.local.leftovers import Leftovers

# Lets a frozen process go on should the lesson itself be killed before it does.
_THAW = """
import contextlib, os, signal, sys, time
time.sleep(float(sys.argv[1]))
for number in sys.argv[2:]:
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(number), signal.SIGCONT)
"""
GRACE_SECONDS = 3
STOP_SECONDS = 60
CLIENT = "slipway-fault"


def processes_of(data: Path, name: str) -> list[psutil.Process]:
    """Those of that name with their children, the parents first: "orders http", "Kafka"."""
    running = Leftovers(data / "processes.json").running()
    found = [process for each, process in running if each == name]
    if not found:
        there = ", ".join(sorted({each for each, _ in running}))
        raise LessonFailed(f"no process {name} runs here, only: {there or 'none'}")
    family: list[psutil.Process] = []
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            family += (process, *process.children(recursive=True))
    return family


def named(data: Path, word: str) -> str:
    """What ``slipway up`` calls a process, of a word such as orders.http or kafka; LessonFailed names what is there."""
    wanted = word.replace(".", " ").lower()
    there = sorted({name for name, _ in Leftovers(data / "processes.json").running()})
    for name in there:
        if name.lower() in {wanted, word.lower()}:
            return name
    known = ", ".join(name.replace(" ", ".") for name in there)
    raise LessonFailed(f"no process {word} runs here, only: {known or 'none'}")


def freeze(data: Path, name: str, seconds: int) -> None:
    """It is there and says nothing, as a machine that swaps or a network that loses packets; then it goes on."""
    family = processes_of(data, name)
    numbers = [str(process.pid) for process in family]
    thaw = [sys.executable, "-c", _THAW, str(seconds + GRACE_SECONDS), *numbers]
    with subprocess.Popen(thaw, start_new_session=True) as thawing:
        try:
            _signal(family, signal.SIGSTOP)
            time.sleep(seconds)
        finally:
            _signal(family, signal.SIGCONT)
            thawing.kill()


def kill(data: Path, name: str) -> None:
    """With -9: it can't finish anything. ``slipway up`` starts it again."""
    _signal(processes_of(data, name), signal.SIGKILL)


def restart(data: Path, name: str) -> None:
    """Asks it to end, as whoever stops the old and starts the new; ``slipway up`` starts it when it has. LessonFailed
    for what is no service's: PostgreSQL that is asked so waits for its last client, and lets nobody in meanwhile.
    """
    if " " not in name:
        raise LessonFailed(f"{name} is no process of a service: slipway fault kill {name.lower()}, or freeze")
    family = processes_of(data, name)
    _signal(family[:1], signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    if alive:
        raise LessonFailed(f"{name} did not end within {STOP_SECONDS} s after it was asked to")


def poison(settings: KafkaSettings, topic: str) -> None:
    """A record that nobody can read. LessonFailed where there is no such topic, BrokerUnavailable without Kafka."""
    with closing(Groups(settings, client_id=CLIENT)) as groups:
        there = groups.topic_ids([topic])
    if topic not in there:
        raise LessonFailed(f"Kafka has no topic {topic} here; slipway status and the services' asyncapi.json name them")
    with closing(kafka.publisher(settings, client_id=CLIENT)) as publisher:
        [failed] = publisher.publish([Record(topic=topic, key=b"poison", value=b"\xff is no event")])
    if failed:
        raise failed


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # which looks whether the number is another's by now
            process.send_signal(number)


def waited(seconds: float, pause: float = 0.2) -> Iterator[None]:
    """Gives turns until the time is over: for loops that look for something."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        yield
        time.sleep(pause)
