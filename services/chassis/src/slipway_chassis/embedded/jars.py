"""What a Kafka broker consists of: the jars of ``kafka-jars.lock``, fetched once into the cache.

The lock has coordinates and SHA-256 of each (``ci/kafka-jars.sh`` writes it from ``kafka-pom.xml``), so that neither
Maven nor a repository's own word is needed to know what they must be.
``python -m slipway_chassis.embedded.jars`` prints the folder that has them.
"""

import fcntl
import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..config import MachineSettings, load
from ..errors import EmbeddedError

LOCK = Path(__file__).parent / "kafka-jars.lock"


@dataclass(frozen=True, slots=True)
class Jar:
    """``coordinates``: group:artifact:version."""

    coordinates: str
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def locked() -> list[Jar]:
    """The jars of the lock."""
    lines = LOCK.read_text().splitlines()
    return [Jar(*line.split()) for line in lines if line and not line.startswith("#")]


def jars_folder(machine: MachineSettings) -> Path:
    """Where the jars are or will be; its name changes with the lock."""
    return machine.cache / f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"


def jars(machine: MachineSettings) -> Path:
    """The folder with the jars. Fetches them the first time; what an interrupted fetch brought is kept.

    Raises:
        EmbeddedError: the repository could not be reached, or gave something else than what is locked.
    """
    folder = jars_folder(machine)
    if folder.exists():
        return folder
    from . import maven  # noqa: PLC0415 # needed once: every later start is quicker without it

    machine.cache.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if not folder.exists():  # another process may have fetched them meanwhile
            unfinished = folder.with_suffix(".unfinished")
            unfinished.mkdir(exist_ok=True)
            maven.fetch(locked(), unfinished, machine)
            unfinished.rename(folder)
    return folder


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One process at a time; the lock ends with the process."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        print(jars(load(MachineSettings)))  # noqa: T201 # a command
    except EmbeddedError as error:
        sys.exit(f"error: {error}")
