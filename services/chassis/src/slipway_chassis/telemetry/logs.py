"""One line of JSON per event on standard output, with the keys of the Elastic Common Schema.

Secrets and bodies are never logged: nothing here gets to see them. Access lines are written without the
machinery of ``logging``, which would cost more than a small view does.
"""

import atexit
import logging
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, ClassVar

from pythonjsonlogger.json import JsonFormatter

from .correlation import current_request_id, current_traceparent, ids_of

ECS_VERSION = "8.17"
ACCESS = "slipway.access"
TOGETHER_SECONDS = 0.1
LONGEST_FIELD = 200  # characters of what others named
_DETAIL = re.compile(r"^DETAIL:.*$", re.MULTILINE)
_access = logging.getLogger(ACCESS)


class _Correlation(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        traceparent = current_traceparent()
        if traceparent and not hasattr(record, "trace.id"):
            setattr(record, "trace.id", traceparent[3:35])
            setattr(record, "span.id", traceparent[36:52])
        request_id = current_request_id()
        if request_id:
            setattr(record, "http.request.id", request_id)
        return True


class _EcsFormatter(JsonFormatter):
    def process_log_record(self, log_data: dict[str, object]) -> dict[str, object]:
        log_data["log.level"] = str(log_data.get("log.level", "")).lower()
        return log_data

    def formatException(self, ei: Any) -> str:  # noqa: N802 # logging's name
        # PostgreSQL's DETAIL quotes the row it refused.
        return _DETAIL.sub("DETAIL: (not logged)", str(super().formatException(ei)))


class _Lines(logging.StreamHandler):  # type: ignore[type-arg] # of text
    """Standard output; also takes finished lines, and writes those together a few times a second.

    A write for each would give the interpreter lock away in the middle of each request, which costs more
    than making the line. Every other record writes what waits first: the order holds, and an error is
    never behind. A kill with -9 may take the access lines of the last tenth of a second along.
    """

    current: ClassVar["_Lines | None"] = None

    def __init__(self, static: Mapping[str, str]) -> None:
        super().__init__(sys.stdout)
        self.head = "".join(f"{quoted(name)}: {quoted(value)}, " for name, value in static.items())
        self._waiting: deque[str] = deque()
        self._writer: threading.Thread | None = None
        self._wake = threading.Event()

    def write_soon(self, line: str) -> None:
        self._waiting.append(line)
        # Threads do not survive a fork: the process that writes starts its own.
        if self._writer is None or not self._writer.is_alive():
            self._start()
        if not self._wake.is_set():
            self._wake.set()

    def emit(self, record: logging.LogRecord) -> None:
        self.write_waiting()
        super().emit(record)

    def write_waiting(self) -> None:
        self.acquire()
        try:
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if lines and not self.stream.closed:
                self.stream.write("".join(lines))
                self.flush()
        finally:
            self.release()

    def _start(self) -> None:
        with _starting:
            if self._writer is None or not self._writer.is_alive():
                self._writer = threading.Thread(target=self._write, name="log", daemon=True)
                self._writer.start()

    def _write(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            time.sleep(TOGETHER_SECONDS)
            self.write_waiting()


_starting = threading.Lock()


def _write_the_last() -> None:
    if _Lines.current:
        _Lines.current.write_waiting()


atexit.register(_write_the_last)


def configure_logs(service: str, *, process: str, version: str, level: str) -> None:
    """Routes every logger to standard output. Call once, first thing in a process."""
    static = {
        "ecs.version": ECS_VERSION,
        "service.name": service,
        "service.version": version,
        "process.title": process,
    }
    handler = _Lines(static)
    handler.setFormatter(
        _EcsFormatter(
            "{levelname}{name}{message}",
            style="{",
            timestamp="@timestamp",
            rename_fields={"levelname": "log.level", "name": "log.logger", "exc_info": "error.stack_trace"},
            static_fields=static,
        )
    )
    handler.addFilter(_Correlation())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    _Lines.current = handler
    # Their INFO is about every connection and every migration step of others.
    for noisy in ("kafka", "alembic", "werkzeug", "opentelemetry", "authlib"):
        logging.getLogger(noisy).setLevel("WARNING")


def event_fields(event_id: object, kind: str, aggregate_id: str, traceparent: str | None) -> dict[str, str]:
    """``extra`` of a line about one event: its own trace, which is that of the request it came of."""
    fields = {"event.id": str(event_id), "event.action": kind, "labels.aggregate_id": aggregate_id}
    fields = {name: value[:LONGEST_FIELD] for name, value in fields.items()}  # headers may be as long as a record
    if ids := ids_of(traceparent):
        fields |= dict(zip(("trace.id", "span.id"), ids, strict=True))
    return fields


def log_access(message: str, *, nanoseconds: int, fields: Mapping[str, str], number: str = "", value: int = 0) -> None:
    """One request or call: its words, its duration, and what makes it searchable; ``number`` names ``value``."""
    if not _access.isEnabledFor(logging.INFO):
        return
    handler = _Lines.current
    numbers = {"event.duration": nanoseconds} | ({number: value} if number else {})
    if handler is None:  # logs are not configured: a test, or someone else's application
        _access.info(message, extra={**fields, **numbers})
        return
    traceparent, request_id = current_traceparent() or "", current_request_id() or ""
    more = "".join([f'"{name}": {quoted(text)}, ' for name, text in fields.items()])
    more += "".join([f'"{name}": {count}, ' for name, count in numbers.items()])
    handler.write_soon(
        f'{{"@timestamp": "{datetime.now(UTC).isoformat()}", "log.level": "info", "log.logger": "{ACCESS}", '
        f'"message": {quoted(message)}, {handler.head}{more}"trace.id": "{traceparent[3:35]}", '
        f'"span.id": "{traceparent[36:52]}", "http.request.id": "{request_id}"}}\n'
    )
