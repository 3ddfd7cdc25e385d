"""What a pod waits for before it gets requests: Envoy counts as ready when its first try for the issuer's keys is over,
also one that failed, and then refuses each token until a later one succeeds (``async_fetch`` of its JWT filter).
"""

import time
from collections.abc import Callable

from .draining import POLL_SECONDS, Ask
from .errors import GatewayUnreachable

FETCHED = r"http\.https?\.jwt_authn\.jwks_fetch_success"


def await_keys(
    ask: Ask,
    *,
    most: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether all listeners have the issuer's keys, after at most ``most`` seconds.

    A bound, since what needs no token is better served without keys than not at all.
    """
    end = clock() + most
    while not (there := has_keys(ask)) and clock() < end:
        sleep(POLL_SECONDS)
    return there


def has_keys(ask: Ask) -> bool:
    """Each listener fetches its own; before the listeners are there, there is nothing to count."""
    try:
        lines = ask("GET", f"/stats?filter=^{FETCHED}$").splitlines()
    except GatewayUnreachable:
        return False
    fetched = [int(line.rpartition(":")[2]) for line in lines if ":" in line]
    return bool(fetched) and all(fetched)
