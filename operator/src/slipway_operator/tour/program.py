"""``naive.py`` as a program beside the shop, which customers ask in place of the gateway."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from slipway_chassis.embedded.processes import Child, free_port, port_open
from slipway_chassis.errors import EmbeddedError

from ..errors import LessonFailed
from .lesson import Lesson, naive_of

START_SECONDS, STOP_SECONDS = 30, 5


@contextmanager
def program_of(lesson: Lesson, addresses: Mapping[str, str]) -> Iterator[int]:
    """Gives the port it listens on, which it was told as PORT; ``addresses`` are the rest of its environment. It ends
    with the block, or with this process. LessonFailed with its last words where it does not start.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        program = Child(
            "naive.py",
            [sys.executable, "-c", naive_of(lesson)],
            Path(folder, "log"),
            env={**addresses, "PORT": str(port)},
        )
        try:
            program.start_and_wait(lambda: port_open(port), START_SECONDS)
        except EmbeddedError as error:
            raise LessonFailed(f"naive.py does not listen: {error}") from None
        try:
            yield port
        finally:
            program.stop(timeout=STOP_SECONDS)
