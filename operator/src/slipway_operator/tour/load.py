"""Customers who ask side by side, each one request after the other, for some seconds."""

import threading
import time
from collections.abc import Sequence
from uuid import uuid4

from .customers import Asking
from .lesson import CANCEL, OF_ORDER, ORDER, Load
from .measuring import Outcome

MOST_OUTCOMES = 200_000  # more than 64 customers with their pauses ask in two minutes; then they leave
RETRY_SECONDS = 0.5


class Customers:
    """``begin`` lets them come, ``let_go`` leave, ``wait`` until the last has left. Each leaves when the time of
    ``load`` is over, they were let go and the answer of the request under way has come, or the patience for it is over.
    """

    def __init__(self, load: Load, port: int, *, token: str, user: str, order: object) -> None:
        self._load, self._order = load, order
        self._requests = [(request, request.partition(" ")[2].replace("${user}", user)) for request in load.requests]
        self._asking = [Asking(port, patience=load.patience_seconds, token=token) for _ in range(load.customers)]
        self._outcomes: list[Outcome] = []
        self._free = threading.Event()
        self._threads = [
            threading.Thread(target=self._come, args=each, daemon=True, name=f"customer {each[0]}")
            for each in enumerate(self._asking)
        ]

    def begin(self) -> None:
        self._ends = time.monotonic() + self._load.seconds
        for thread in self._threads:
            thread.start()

    def let_go(self) -> None:
        """What they were to see is over."""
        self._free.set()

    def wait(self) -> Sequence[Outcome]:
        longest = (self._load.retries + 2) * (self._load.patience_seconds + RETRY_SECONDS)
        for thread in self._threads:
            thread.join(self._load.seconds + longest)
        return list(self._outcomes)

    def _come(self, number: int, asking: Asking) -> None:
        count, order = number, ""  # they don't all ask for the same at once
        while (time.monotonic() < self._ends or not self._free.is_set()) and len(self._outcomes) < MOST_OUTCOMES:
            request, path = self._requests[count % len(self._requests)]
            count += 1
            if OF_ORDER in path and not order:
                continue
            outcome = self._ask(asking, request, path.replace(OF_ORDER, order))
            if request in (ORDER, CANCEL):
                order = outcome.order if outcome.good else ""
            time.sleep(self._load.pause_seconds)
        asking.close()

    def _ask(self, asking: Asking, request: str, path: str) -> Outcome:
        """Until there is a good answer, or the tries are over."""
        key = str(uuid4()) if self._load.retries and request == ORDER else ""
        for number in range(self._load.retries + 1):
            if number:
                time.sleep(RETRY_SECONDS)
            outcome = asking.ask(request, path, self._order if request == ORDER else None, key=key)
            self._outcomes.append(outcome)
            if outcome.good:
                break
        return outcome
