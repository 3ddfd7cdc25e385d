"""Asks a running service and compares its answers' status; what `helm test` runs inside the cluster.

Usage: python -m slipway_chassis.testing.ask URL 'GET /readyz 200' ['METHOD PATH STATUS' ...]
"""

import http.client
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit


def status_of(base_url: str, method: str, path: str) -> int:
    """The status of one answer; OSError when there is none."""
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()


def main(arguments: Sequence[str]) -> int:
    base_url, *questions = arguments
    wrong = 0
    for question in questions:
        method, path, expected = question.split()
        answered = status_of(base_url, method, path)
        ok = answered == int(expected)
        wrong += not ok
        sys.stdout.write(f"{'ok    ' if ok else 'WRONG '} {method} {path} → {answered}, expected {expected}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:  # noqa: PLR2004
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
