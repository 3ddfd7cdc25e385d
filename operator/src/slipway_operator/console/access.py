"""Who may see and who may do. Pure.

The page is for this machine: a request names a loopback host, so that a foreign name that points here (DNS rebinding)
gets nothing, and pages of other origins are sent away before they cost anything. Actions need a token in a header,
which no form and no link of another page can send.
"""

import hmac
from collections.abc import Mapping

TOKEN_HEADER = "X-Slipway-Token"  # noqa: S105 # the header's name
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SAME = frozenset({"", "same-origin", "none"})


def host_is_here(host: str | None, port: int) -> bool:
    """Whether the Host header names this machine's own address and this port."""
    return host is not None and host.lower() in {f"{name}:{port}" for name in LOOPBACK}


def is_foreign(headers: Mapping[str, str], port: int) -> bool:
    """Whether a page of another origin asks, as browsers say it; programs say nothing and are none."""
    origin = headers.get("Origin", "")
    if origin and origin.lower() not in {f"http://{name}:{port}" for name in LOOPBACK}:
        return True
    return headers.get("Sec-Fetch-Site", "") not in SAME


def is_token(given: str | None, token: str) -> bool:
    """Compared in a time that says nothing of how much of it is right."""
    return bool(token) and given is not None and hmac.compare_digest(given.encode(), token.encode())
