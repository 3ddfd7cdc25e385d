"""Customers who ask side by side, each one request after the other, for some seconds."""

import threading
import time
from collections.abc import Sequence

from .customers import Asking
from .lesson import Load
from .measuring import Outcome

MOST_OUTCOMES = 50_000


class Customers:
    """``begin`` lets them come, ``wait`` until the last has left; each leaves when the time of ``load`` is over and the
    answer of the request under way has come, or the patience for it is over.
    """

    def __init__(self, load: Load, port: int, *, token: str, user: str, order: object) -> None:
        self._load, self._order = load, order
        self._requests = [(request, request.partition(" ")[2].replace("${user}", user)) for request in load.requests]
        self._asking = [Asking(port, patience=load.patience_seconds, token=token) for _ in range(load.customers)]
        self._outcomes: list[Outcome] = []
        self._threads = [
            threading.Thread(target=self._come, args=each, daemon=True, name=f"customer {each[0]}")
            for each in enumerate(self._asking)
        ]

    def begin(self) -> None:
        self._ends = time.monotonic() + self._load.seconds
        for thread in self._threads:
            thread.start()

    def wait(self) -> Sequence[Outcome]:
        for thread in self._threads:
            thread.join(self._load.seconds + 2 * self._load.patience_seconds)
        return list(self._outcomes)

    def _come(self, number: int, asking: Asking) -> None:
        count = number  # they don't all ask for the same at once
        while time.monotonic() < self._ends and len(self._outcomes) < MOST_OUTCOMES:
            request, path = self._requests[count % len(self._requests)]
            self._outcomes.append(asking.ask(request, path, self._order if request.startswith("POST") else None))
            count += 1
            time.sleep(self._load.pause_seconds)
        asking.close()
