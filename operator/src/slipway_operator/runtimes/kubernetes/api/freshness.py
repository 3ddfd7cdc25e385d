"""How old a list may be. As the storage has it now, it makes the API server's cache wait for word from the storage,
60 ms after any write in the cluster; not older than what is known of the kind, it takes 4 ms.

Known is what this process was told, read or wrote, as with the caches of other controllers, which lack the last of
the three. Resource versions of one kind are numbers that grow (Kubernetes enhancement proposal 5504).
"""

import threading
from typing import Any

from .kinds import Kind

_LONGEST = 20  # digits: it is a number of 64 bits


class Freshness:
    def __init__(self) -> None:
        self._known: dict[Kind, int] = {}
        self._lock = threading.Lock()  # kopf tells of events from a thread of its own

    def saw(self, kind: Kind, version: Any) -> None:
        """An object or a list of this resourceVersion; one that is no number says nothing."""
        if not str(version).isdecimal() or len(str(version)) > _LONGEST:
            return
        with self._lock:
            self._known[kind] = max(int(version), self._known.get(kind, 0))

    def least(self, kind: Kind) -> dict[str, str]:
        """The query of a list that is no older; empty: the storage is asked."""
        known = self._known.get(kind)
        return {"resourceVersion": str(known), "resourceVersionMatch": "NotOlderThan"} if known else {}

    def forget(self) -> None:
        """Another one has acted meanwhile, and what it wrote last may not have been told yet."""
        with self._lock:
            self._known.clear()
