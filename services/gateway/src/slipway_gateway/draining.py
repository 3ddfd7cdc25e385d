"""What a pod does before it ends: Envoy itself stops at once when it is asked to."""

import http.client
import time
from collections.abc import Callable

from .errors import GatewayUnreachable

IN_FLIGHT = "http.http.downstream_rq_active|http.https.downstream_rq_active"
ADMIN_TIMEOUT = 5
POLL_SECONDS = 0.2

Ask = Callable[[str, str], str]


def drain(
    ask: Ask,
    *,
    wait: float,
    most: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Fails readiness, ends kept-alive connections with their next answer, and waits until nothing is in flight.

    ``wait``: seconds in which others learn that this gateway goes, and still send requests. ``most``: seconds
    for what is in flight after that. Returns what was in flight at the end.
    """
    ask("POST", "/healthcheck/fail")
    sleep(wait)
    end = clock() + most
    while (left := in_flight(ask)) and clock() < end:
        sleep(POLL_SECONDS)
    return left


def in_flight(ask: Ask) -> int:
    lines = ask("GET", f"/stats?filter=^({IN_FLIGHT})$").splitlines()
    return sum(int(line.rpartition(":")[2]) for line in lines if ":" in line)


def asking(port: int) -> Ask:
    """Asks Envoy's admin port."""

    def ask(method: str, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ADMIN_TIMEOUT)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        except OSError as error:
            raise GatewayUnreachable(f"Envoy's admin port {port} does not answer: {error}") from error
        finally:
            connection.close()

    return ask
