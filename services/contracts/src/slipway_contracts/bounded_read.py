"""Answers of other servers, bounded in size and in time as a whole.

urllib3's time limits are for each piece that arrives: a server that sends a byte now and then would hold a
thread for ever.
"""

import time

from urllib3 import BaseHTTPResponse

PIECE = 64 * 1024


def read_within(answer: BaseHTTPResponse, *, most: int, seconds: float) -> bytes:
    """At most ``most`` bytes of the body; TimeoutError when it is not there within ``seconds``."""
    end = time.monotonic() + seconds
    pieces: list[bytes] = []
    size = 0
    while size < most and (piece := answer.read1(min(PIECE, most - size))):
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > end:
            break
    if time.monotonic() > end:  # also where the answer was cut off by then
        raise TimeoutError(f"the answer was not there within {seconds:.1f} s")
    return b"".join(pieces)
