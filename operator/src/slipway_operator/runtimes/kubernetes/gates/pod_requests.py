"""Requests to admin ports of pods, by the process that judges contracts: one connection each, bounded in time and size.

No redirect is followed and nothing is unpacked. What does not end in time is no answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from slipway_contracts.watched import Watch

ASK_SECONDS = 5.0
_CHUNK_BYTES = 64 * 1024


@contextmanager
def asked(url: str, seconds: float = ASK_SECONDS) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Status and content. Raises OSError or HTTPException for what does not answer, then or while it is read."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    with Watch(seconds) as watch:  # one that sends its head byte by byte ends with it
        try:
            connection.sock = watch.connected(connection.host, connection.port, seconds)
            connection.request("GET", parts.path, headers={"Accept-Encoding": "identity", "Connection": "close"})
            with connection.getresponse() as response:
                yield response.status, _chunks(response, watch)
        finally:
            connection.close()


def _chunks(response: HTTPResponse, watch: Watch) -> Iterator[bytes]:
    while not response.isclosed():
        chunk = response.read1(_CHUNK_BYTES)
        if watch.left <= 0:  # also where the answer was cut off by then
            raise TimeoutError("not in time")
        if not chunk:
            return
        yield chunk


def content(url: str, most: int) -> tuple[int, bytes] | None:
    """Status and content; None: no answer, not in time, or more than ``most`` bytes."""
    found = bytearray()
    try:
        with asked(url) as (status, chunks):
            for chunk in chunks:
                found += chunk
                if len(found) > most:
                    return None
            return status, bytes(found)
    except (OSError, HTTPException):
        return None
