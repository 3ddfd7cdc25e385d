"""The newest of each source, kept while somebody watches. Each source has a thread and a deadline of its own, so a slow
one holds up no other, and nobody is asked anything while nobody looks.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from slipway_chassis.errors import ChassisError

from .model import as_json

LEAST_PAUSE = 0.5  # seconds between two looks at one source
LONGEST_TROUBLE = 500  # characters


@dataclass(frozen=True, slots=True)
class Source:
    """One part of the page. ``look`` returns data of ``model`` and may raise; ``every``: seconds between two looks;
    ``deadline``: seconds after which the part says that no answer came; ``rest``: called when nobody watches any more.
    """

    name: str
    look: Callable[[], Any]
    every: float = LEAST_PAUSE
    deadline: float = 3.0
    rest: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Part:
    """``version``: of the board when it changed last; 0: nothing is known yet."""

    value: Any = None
    trouble: str = ""
    at: float = 0.0
    version: int = 0
    began: float | None = None  # monotonic, while a look goes on
    looks: int = 0

    def shown(self) -> dict[str, Any]:
        return {"value": self.value, "trouble": self.trouble, "at": self.at}


class Board:
    """``now``: seconds since 1970; ``clock``: seconds that only grow."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = {each.name: each for each in sources}
        self._now, self._clock = now, clock
        self._parts = {name: _Part() for name in self._sources}
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        self._watchers = 0
        self._version = 0

    @property
    def watchers(self) -> int:
        """How many look now."""
        return self._watchers

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Sources are looked at as long as somebody is in here."""
        with self._changed:
            self._watchers += 1
            self._start()
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._watchers -= 1
                self._changed.notify_all()

    def _start(self) -> None:
        if self._threads or self._ending.is_set():
            return
        for source in self._sources.values():
            name = f"console-{source.name}"
            self._threads.append(threading.Thread(target=self._run, args=(source,), name=name, daemon=True))
            self._threads[-1].start()

    def since(self, version: int, timeout: float) -> tuple[int, dict[str, Any]]:
        """The parts that changed after ``version``, as soon as there are some, or none after ``timeout`` seconds."""
        ends = self._clock() + timeout
        with self._changed:
            if version > self._version:  # of another board: everything is new
                version = 0
            while True:
                self._mark_late()
                found = {name: part.shown() for name, part in self._parts.items() if part.version > version}
                left = ends - self._clock()
                if found or left <= 0 or self._ending.is_set():
                    return self._version, found
                self._changed.wait(min(left, LEAST_PAUSE))

    def whole(self, timeout: float) -> dict[str, Any]:
        """Every part, looked at after this was called as far as sources answer within ``timeout`` seconds."""
        ends = self._clock() + timeout
        with self.watched(), self._changed:
            # A look that goes on may have begun before; the one after it is new.
            wanted = {name: part.looks + 1 + (part.began is not None) for name, part in self._parts.items()}
            while any(part.looks < wanted[name] for name, part in self._parts.items()) and self._clock() < ends:
                self._changed.wait(LEAST_PAUSE)
            self._mark_late()
            return {name: part.shown() for name, part in self._parts.items()}

    def close(self) -> None:
        """Ends the threads; those that wait for an answer end with it, or with the process."""
        self._ending.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(1.0)

    # --- a source's thread
    def _run(self, source: Source) -> None:
        while self._until_watched(source):
            value, trouble = _asked(source)
            self._put(source.name, value, trouble)
            self._ending.wait(max(source.every, LEAST_PAUSE))
        _rested(source)

    def _until_watched(self, source: Source) -> bool:
        if not self._watchers:
            _rested(source)
        with self._changed:
            self._changed.wait_for(lambda: self._watchers or self._ending.is_set())
            self._parts[source.name].began = self._clock()
            return not self._ending.is_set()

    def _put(self, name: str, value: Any, trouble: str) -> None:
        with self._changed:
            part = self._parts[name]
            part.began, part.looks = None, part.looks + 1
            kept = part.value if trouble else value
            if (kept, trouble) != (part.value, part.trouble) or not part.version:
                self._version += 1
                part.value, part.trouble, part.version = kept, trouble, self._version
            part.at = self._now() if not trouble else part.at
            self._changed.notify_all()

    def _mark_late(self) -> None:
        for name, part in self._parts.items():
            deadline = self._sources[name].deadline
            if part.began is not None and self._clock() - part.began > deadline:
                said = f"no answer within {deadline:g} s: it is asked again as soon as this look has ended"
                if part.trouble != said:
                    self._version += 1
                    part.trouble, part.version = said, self._version


def _asked(source: Source) -> tuple[Any, str]:
    try:
        return as_json(source.look()), ""
    except (ChassisError, OSError) as error:
        return None, str(error)[:LONGEST_TROUBLE] or type(error).__name__
    except Exception as error:  # noqa: BLE001 # a part that breaks must be seen as broken, and break no other
        return None, f"{type(error).__name__}: {error}"[:LONGEST_TROUBLE]


def _rested(source: Source) -> None:
    with suppress(Exception):
        source.rest()
