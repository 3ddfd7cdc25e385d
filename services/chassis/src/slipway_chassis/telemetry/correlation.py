"""Which request or event is being worked on: carried by context variables into logs and events."""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

TRACEPARENT = "traceparent"
# https://www.w3.org/TR/trace-context/#traceparent-header; all-zero ids are invalid
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_traceparent() -> str | None:
    return _traceparent.get()


def current_request_id() -> str | None:
    return _request_id.get()


@contextmanager
def correlated(headers: Mapping[str, str]) -> Iterator[None]:
    """Takes over the caller's trace and request id, or begins new ones where they are missing or malformed."""
    traceparent = headers.get(TRACEPARENT, "")
    request_id = headers.get("x-request-id", "")
    if not _TRACEPARENT.fullmatch(traceparent):
        traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    if not _REQUEST_ID.fullmatch(request_id):
        request_id = secrets.token_hex(8)
    tokens = _traceparent.set(traceparent), _request_id.set(request_id)
    try:
        yield
    finally:
        _traceparent.reset(tokens[0])
        _request_id.reset(tokens[1])
