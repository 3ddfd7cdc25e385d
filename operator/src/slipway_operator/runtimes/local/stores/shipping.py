"""Log lines on their way to VictoriaLogs, read from the files that processes write: so nobody waits for the store, and
what it missed is still there. At least once: a line may come twice where ``slipway up`` was killed between two steps.
"""

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..layout import Layout
from ..log_files import LogFile, log_files
from ..log_lines import Line
from ..state import replace_file
from .configuration import RETENTION_DAYS

AT_ONCE = 1024 * 1024  # bytes of a log that are in memory; of one that lies further back, its last 8 MB are sent
ROUND_SECONDS = 5.0  # so long one round takes at most, and one question
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds between two tries while nobody takes anything
STREAM, TIME, MESSAGE = "source", "_time", "_msg"  # names without a dot: nothing nested in a line becomes one of them
ENDPOINT = f"/insert/jsonline?_stream_fields={STREAM}"
# VictoriaLogs leaves a line out that has more than 1,000 fields, nested ones included, or is nested more than 300 deep,
# and takes all fields of one that has a name of more than 128 bytes; the names around it are part of it.
MOST_FIELDS, DEEPEST, LONGEST_NAME = 500, 250, 128
AHEAD = timedelta(hours=1)
# Said by a store that is busy, or whose disk is full; any other refusal is of the lines.
_LATER = {http.client.REQUEST_TIMEOUT, http.client.TOO_MANY_REQUESTS}
_KEPT = timedelta(days=RETENTION_DAYS) - timedelta(hours=1)


def record_of(line: Line, now: datetime) -> str:
    """One line of JSON. Names that VictoriaLogs gives a meaning are not the line's to set, and a time that it would not
    take is that of now: what somebody logs can neither hide a line nor put it into the log of another process.
    """
    at = line.at if now - _KEPT < line.at < now + AHEAD else now
    fields: dict[str, Any] = {name: value for name, value in line.fields.items() if name and not name.startswith("_")}
    message = fields.pop("message", None)
    own = {TIME: at.isoformat(), MESSAGE: message if message and isinstance(message, str) else line.text}
    own[STREAM] = line.source
    if _takes_no_fields(line):
        return json.dumps(own | {MESSAGE: line.text})
    try:
        return json.dumps(fields | own, allow_nan=False)
    except (ValueError, RecursionError):
        return json.dumps(own | {MESSAGE: line.text})


def _takes_no_fields(line: Line) -> bool:
    """Whether it is more than text to us, and too much for the store."""
    many = line.text.count(":") > MOST_FIELDS or sum(map(line.text.count, "{[")) > DEEPEST
    return many or _longest_name(line.fields) > LONGEST_NAME


def _longest_name(fields: Mapping[str, Any]) -> int:
    """In bytes, with the names around it and a dot between them."""
    return max((len(name.encode(errors="replace")) + _inside(value) for name, value in fields.items()), default=0)


def _inside(value: object) -> int:
    return 1 + _longest_name(value) if isinstance(value, dict) else 0


class Shipping:
    """``tell`` gets a sentence when lines are left out, for the store was away too long or refuses them."""

    def __init__(self, layout: Layout, port: int, places: Path, tell: Callable[[str], None]) -> None:
        self._layout = layout
        self._port = port
        self._file = places
        self._tell = tell
        self._places = self._read_places()
        self._files: dict[Path, LogFile] = {}
        self._failures = 0
        self._again_at = 0.0

    def ship(self) -> bool:
        """Sends what is new. False: something is left, for nobody takes it or the round is over."""
        now = time.monotonic()
        if now < self._again_at:
            return False
        done = [self._ship(file, now + ROUND_SECONDS) for file in self._known()]
        self._write_places()
        return all(done)

    def _known(self) -> Sequence[LogFile]:
        for file in log_files(self._layout):
            place = self._places.get(self._name(file.path), 0)
            self._files.setdefault(file.path, replace(file, offset=place, at_once=AT_ONCE))
        return list(self._files.values())

    def _ship(self, file: LogFile, until: float) -> bool:
        while self._again_at <= time.monotonic() < until:
            ahead = replace(file)
            lines = ahead.read()
            if ahead.offset == file.offset:
                return True
            if lines and not self._send(lines):
                return False
            if ahead.cut > max(file.cut, file.offset) > 0:
                self._tell(f"{ahead.cut - file.offset:,} bytes of {file.path.name} were not sent: too much had waited")
            self._files[file.path] = file = ahead
        return False

    def _send(self, lines: Sequence[Line]) -> bool:
        now = datetime.now(UTC)
        status = _posted(self._port, "\n".join(record_of(line, now) for line in lines).encode())
        if http.client.BAD_REQUEST <= status < http.client.INTERNAL_SERVER_ERROR and status not in _LATER:
            # It will never take these, and others wait behind them.
            self._tell(f"VictoriaLogs refuses lines of {lines[0].source} with {status}; they stay in the file alone")
            return True
        taken = 0 < status < http.client.BAD_REQUEST
        self._failures = 0 if taken else self._failures + 1
        if not taken:
            self._again_at = time.monotonic() + PAUSES[min(self._failures, len(PAUSES)) - 1]
        return taken

    # --- how far each log was sent
    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._layout.data)) if path.is_relative_to(self._layout.data) else path.name

    def _read_places(self) -> dict[str, int]:
        try:
            return {str(name): int(place) for name, place in json.loads(self._file.read_text()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write_places(self) -> None:
        places = self._places | {self._name(path): file.whole for path, file in self._files.items()}
        if places != self._places:
            with suppress(OSError):  # a full disk: more comes twice then
                replace_file(self._file, json.dumps(places))
            self._places = places


def _posted(port: int, body: bytes) -> int:
    """The answer's status; 0: there was none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ROUND_SECONDS)
    try:
        connection.request("POST", ENDPOINT, body, {"Content-Type": "application/stream+json"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
