"""Requests to admin ports of pods, by the process that judges contracts: one connection each, bounded in time and size.

No redirect is followed and nothing is unpacked. What does not end in time is no answer.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from socket import socket
from urllib.parse import urlsplit

ASK_SECONDS = 5.0
_CHUNK_BYTES = 64 * 1024


@contextmanager
def asked(url: str, seconds: float = ASK_SECONDS) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Status and content. Raises OSError or HTTPException for what does not answer, then or while it is read."""
    parts = urlsplit(url)
    ends = time.monotonic() + seconds
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.connect()
        opened = connection.sock  # the connection forgets it with the answer's head
        connection.request("GET", parts.path, headers={"Accept-Encoding": "identity", "Connection": "close"})
        with connection.getresponse() as response:
            yield response.status, _chunks(response, opened, ends)
    finally:
        connection.close()


def _chunks(response: HTTPResponse, opened: socket, ends: float) -> Iterator[bytes]:
    while not response.isclosed():
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("not in time")
        opened.settimeout(left)
        if not (chunk := response.read1(_CHUNK_BYTES)):
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
