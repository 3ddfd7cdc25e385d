"""What a running process logs and records, changed while it runs: by a file that says NAME=VALUE of two settings.

On Kubernetes the file is the pod's annotation ``slipway.dev/levels`` (the kubelet brings it within a minute), on a
laptop ``slipway levels`` writes it. What the file does not say is as the process began, and so is all when the file
is gone. A file that says something wrong changes nothing.
"""

import logging
import threading
from pathlib import Path

from ..config import ProcessSettings, TraceSettings, load
from ..errors import ConfigurationError
from . import correlation

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
LONGEST = 1000  # bytes of the file
LEVELS = ("LOG_LEVEL", "TRACE_SAMPLE_RATIO")


class LevelSettings(ProcessSettings, TraceSettings):
    """What a process began with, as far as levels go."""


def follow_levels(settings: LevelSettings) -> None:
    """Looks at the file now and then, in a thread of its own; after a fork, since threads do not survive one."""
    levels = Levels(settings)
    threading.Thread(target=levels.follow, name="levels", daemon=True).start()


class Levels:
    """The levels of this process."""

    def __init__(self, settings: LevelSettings) -> None:
        self._beginning = settings
        self._said = b""

    def follow(self) -> None:
        """Looks for ever."""
        wait = threading.Event()
        while True:
            self.look()
            wait.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Takes what the file says, if it says something new."""
        said = _read(self._beginning.levels_file)
        if said != self._said:
            self._said = said
            try:
                self._take(said)
            except ConfigurationError as error:
                log.warning("levels stay as they are: %s: %s", self._beginning.levels_file, error)

    def _take(self, said: bytes) -> None:
        changed = levels_of(said.decode("utf-8", errors="replace"))
        given = changed.model_fields_set
        level = changed.log_level if "log_level" in given else self._beginning.log_level
        ratio = changed.trace_sample_ratio if "trace_sample_ratio" in given else self._beginning.trace_sample_ratio
        logging.getLogger().setLevel(level)
        has_traces = correlation.set_ratio(ratio)
        log.warning("levels: LOG_LEVEL=%s TRACE_SAMPLE_RATIO=%s%s", level, ratio, "" if has_traces else _NO_TRACES)


def levels_of(text: str) -> LevelSettings:
    """NAME=VALUE words as settings, or ConfigurationError that names the wrong one."""
    pairs = dict(_pair(word) for word in text.split())
    if unknown := sorted(pairs.keys() - set(LEVELS)):
        raise ConfigurationError(f"{unknown[0]} is no level: {' and '.join(LEVELS)} are")
    return load(LevelSettings, pairs)


_NO_TRACES = " (no trace is recorded: OTEL_EXPORTER_OTLP_ENDPOINT is not set)"


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise ConfigurationError(f"{word[:40]!r} is not NAME=VALUE, such as LOG_LEVEL=DEBUG")
    return name, value


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(LONGEST).strip()
    except OSError:  # no such file: nobody changes this process
        return b""
