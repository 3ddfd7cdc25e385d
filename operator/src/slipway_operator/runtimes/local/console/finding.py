"""What is asked for now and then: the lines of one id, one order's way, the letters of a queue."""

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

from slipway_chassis.events import replay
from slipway_chassis.events.replay import Filter, Queue

from ....console.model import as_json
from ....console.place import Words
from ....console.spans import spans_of
from ....errors import LocalRuntimeError
from ..layout import Layout
from ..log_files import log_files
from ..log_lines import SHORTEST_WORD, About, Line, in_order
from .addresses import Addresses

MOST_LINES = 500
LONGEST_TEXT = 4000
MOST_READ = 5000  # letters of a queue that are gone through for the last ones
LAST_LETTERS = 20
EVENTS = "event.id"


def lines_about(layout: Layout, word: str) -> list[Line]:
    """As ``slipway logs --about``; LocalRuntimeError for a word that is part of everything."""
    if len(word) < SHORTEST_WORD:
        raise LocalRuntimeError(f"an id has {SHORTEST_WORD} characters or more")
    about = About(word)
    found = in_order(line for file in log_files(layout) for line in file.read())
    about.learn(found)
    return [line for line in found if about.takes(line)]


@dataclass(frozen=True)
class Finding:
    """Questions of one data folder."""

    layout: Layout
    addresses: Addresses

    def logs(self, words: Words) -> dict[str, Any]:
        """``about``: an id. The last MOST_LINES lines."""
        found = lines_about(self.layout, words.get("about", ""))
        return {"lines": [_shown(line) for line in found[-MOST_LINES:]], "left_out": max(0, len(found) - MOST_LINES)}

    def way(self, words: Words) -> dict[str, Any]:
        """``about``: an id. ``events``: whether lines of single events are among them, which are written at DEBUG."""
        found = lines_about(self.layout, words.get("about", ""))
        spans = spans_of(line.fields for line in found if line.fields)
        return {"spans": as_json(spans), "events": any(EVENTS in line.fields for line in found)}

    def letters(self, words: Words) -> dict[str, Any]:
        """``topic``, ``group``: the last letters of this queue, the newest first."""
        settings, queue = self.addresses.broker(), Queue(words.get("topic", ""), words.get("group", ""))
        if settings is None:
            raise LocalRuntimeError("no broker runs here")
        if queue not in replay.queues(settings):
            raise LocalRuntimeError(f"there are no dead letters of {queue.group} on {queue.topic}")
        read = islice(replay.dead_letters(settings, queue, Filter()), MOST_READ)
        last = deque(read, maxlen=LAST_LETTERS)
        return {"letters": [_cut(replay.described(one) | replay.value_of(one)) for one in reversed(last)]}


def _shown(line: Line) -> dict[str, Any]:
    fields = line.fields
    said = str(fields.get("message", "")) if fields else line.text
    stack = fields.get("error.stack_trace")
    return {
        "at": line.at.timestamp() if line.at.year > 1 else None,
        "source": line.source,
        "service": line.service,
        "process": str(fields.get("process.title", ""))[:LONGEST_TEXT],
        "version": str(fields.get("service.version", ""))[:LONGEST_TEXT],
        "level": line.level,
        "said": (f"{said}\n{stack}" if stack else said)[:LONGEST_TEXT],
        "trace": str(fields.get("trace.id") or "")[:LONGEST_TEXT],
    }


def _cut(letter: dict[str, Any]) -> dict[str, Any]:
    return {name: value[:LONGEST_TEXT] if isinstance(value, str) else value for name, value in letter.items()}
