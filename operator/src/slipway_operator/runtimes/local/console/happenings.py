"""What was told while ``slipway up`` runs: the last lines, and who fell how often."""

import threading
from collections import deque
from collections.abc import Callable

from ....console.model import Happening

MOST = 100
LONGEST = 500


class Happenings:
    """Told by one thread, read by others. ``now``: seconds since 1970."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._kept: deque[Happening] = deque(maxlen=MOST)
        self._falls: dict[str, tuple[int, float]] = {}

    def tell(self, what: str, said: str) -> None:
        """A line of a start, of a release, or of an action."""
        self._add(Happening(self._now(), what[:LONGEST], said[:LONGEST]))

    def fell(self, name: str) -> None:
        """A process that ended by itself and is started again."""
        with self._lock:
            self._falls[name] = (self._falls.get(name, (0, 0.0))[0] + 1, self._now())
        self._add(Happening(self._now(), name, "ended by itself and was started again; its log says why", fall=True))

    def _add(self, happening: Happening) -> None:
        with self._lock:
            self._kept.append(happening)

    def newest_first(self) -> list[Happening]:
        """At most MOST of them."""
        with self._lock:
            return list(reversed(self._kept))

    def falls(self, name: str) -> tuple[int, float | None]:
        """How often, and when last."""
        with self._lock:
            count, at = self._falls.get(name, (0, None))
        return count, at
