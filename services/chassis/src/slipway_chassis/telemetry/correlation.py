"""Which request or event is being worked on: a trace, a span and a request id, carried by context variables.

``span`` begins a piece of work. It takes over the caller's trace (W3C traceparent) or begins one, so that
logs, events and calls to others name the same trace. Spans are recorded with OpenTelemetry where
``traces.configure`` has given an exporter and the trace is sampled; otherwise only the ids travel, which
costs microseconds.

>>> caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
>>> with request_id_of("r-1"), span("reserve stock", parent=caller):
...     outgoing_headers() == {"traceparent": caller, "x-request-id": "r-1"}
True
"""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Protocol

TRACEPARENT = "traceparent"
REQUEST_ID = "x-request-id"
# https://www.w3.org/TR/trace-context/#traceparent-header; all-zero ids are invalid
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SAMPLED = 1

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_ids = random.SystemRandom().getrandbits(64)
_chance = random.Random(_ids)  # noqa: S311 # ids must be unlikely to meet, not secret


class Recording(Protocol):
    """A span that is being recorded."""

    @property
    def traceparent(self) -> str:
        """The span's id as W3C traceparent, for calls and events of this piece of work."""

    def end(self, *, error: BaseException | None) -> None:
        """The work is over, and whether it failed."""

    def put(self, name: str, value: str | int) -> None:
        """Adds an attribute; names follow OpenTelemetry's semantic conventions."""


class Recorder(Protocol):
    """Begins recorded spans; ``traces`` implements it with OpenTelemetry."""

    ratio: float

    def begin(self, name: str, kind: str, parent: str | None) -> Recording:
        """Begins a span; ``kind`` as for ``span``, ``parent`` a valid traceparent, or None for a new trace."""


class _Process:
    """The recorder of this process; none until ``traces.configure``."""

    recorder: Recorder | None = None


def record_with(recorder: Recorder | None) -> None:
    """Sets the recorder of this process; None: ids travel and nothing is recorded."""
    _Process.recorder = recorder


def set_ratio(ratio: float) -> bool:
    """Sets the share of new traces that are recorded, from 0 to 1. Whether any can be: there is a recorder."""
    if _Process.recorder is None:
        return False
    _Process.recorder.ratio = ratio
    return True


def reseed() -> None:
    """Call after a fork: a child must not make its parent's ids again."""
    _chance.seed(random.SystemRandom().getrandbits(64))


def current_traceparent() -> str | None:
    """The traceparent of the work in hand; None outside of any ``span``."""
    return _traceparent.get()


def current_request_id() -> str | None:
    """The id of the request in hand; None outside of one."""
    return _request_id.get()


def ids_of(traceparent: str | None) -> tuple[str, str] | None:
    """Trace id and span id of a traceparent that somebody else sent; None where it is none."""
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        return None
    return traceparent[3:35], traceparent[36:52]


def outgoing_headers() -> dict[str, str]:
    """What a call to another service carries on: trace and request id."""
    found = {TRACEPARENT: _traceparent.get(), REQUEST_ID: _request_id.get()}
    return {name: value for name, value in found.items() if value}


def begin_request(given: str | None) -> tuple[str, Token[str | None]]:
    """Takes over the caller's request id, or makes one where it is missing or malformed; ends by ``end_request``."""
    request_id = given if given and _REQUEST_ID.fullmatch(given) else f"{_chance.getrandbits(64):016x}"
    return request_id, _request_id.set(request_id)


def end_request(token: Token[str | None]) -> None:
    """Ends what ``begin_request`` began; ``token`` is the one it gave."""
    _request_id.reset(token)


@contextmanager
def request_id_of(given: str | None) -> Iterator[str]:
    """The same as a block."""
    request_id, token = begin_request(given)
    try:
        yield request_id
    finally:
        end_request(token)


@contextmanager
def span(name: str, *, kind: str = "internal", parent: str | None = None) -> "Iterator[OpenSpan]":
    """A piece of work. ``kind``: server, client, producer, consumer or internal. ``parent`` is a traceparent
    from outside, malformed or missing ones begin a new trace; inside a span, the parent is that span.
    """
    opened = OpenSpan(name, kind=kind, parent=parent)
    try:
        yield opened
    except BaseException as error:
        opened.close(error)
        raise
    opened.close()


class OpenSpan:
    """What ``span`` gives; also for callers that can't use a block: closed by ``close``."""

    __slots__ = ("_recording", "_token")

    def __init__(self, name: str, *, kind: str, parent: str | None = None) -> None:
        if parent is None or not _TRACEPARENT.fullmatch(parent):
            parent = _traceparent.get()
        recorder = _Process.recorder
        self._recording: Recording | None = None
        if recorder and (_is_sampled(parent) if parent else _chance.random() < recorder.ratio):
            self._recording = recorder.begin(name, kind, parent)
            traceparent = self._recording.traceparent
        elif parent:
            traceparent = parent
        else:
            traceparent = f"00-{_chance.getrandbits(128) or 1:032x}-{_chance.getrandbits(64) or 1:016x}-00"
        self._token = _traceparent.set(traceparent)

    def put(self, name: str, value: str | int) -> None:
        """Adds an attribute; of no effect where the span is not recorded."""
        if self._recording:
            self._recording.put(name, value)

    def close(self, error: BaseException | None = None) -> None:
        """Ends the span, in the context in which it was opened. ``error``: what the work failed with."""
        _traceparent.reset(self._token)
        if self._recording:
            self._recording.end(error=error)


def _is_sampled(traceparent: str) -> bool:
    return bool(int(traceparent[-2:], 16) & _SAMPLED)
