"""Which services must be reconciled, and when. One service is never reconciled twice at the same time.

kopf hands over every event of every child; here they become one look. A look that fails is repeated, with a pause
that grows for that service alone.
"""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from datetime import timedelta

from ..api.kinds import Key

log = logging.getLogger(__name__)

Work = Callable[[Key], Awaitable[timedelta | None]]

# Events come in swarms, since a Deployment, its pods and their endpoints change together: the first one is looked at
# at once, and those that follow are gathered.
GATHER_SECONDS = 0.05
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class WorkQueue:
    def __init__(self, work: Work, *, max_concurrency: int = 8) -> None:
        self._work = work
        self._max_concurrency = max_concurrency
        self._due: dict[Key, float] = {}
        self._looked: dict[Key, float] = {}  # when its last look began
        self._failures: dict[Key, int] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def add(self, key: Key, delay: float | None = None) -> None:
        """Look at it after the delay, or earlier where that was agreed already. None: an event tells of it."""
        now = asyncio.get_running_loop().time()
        due = max(now, self._looked.get(key, float("-inf")) + GATHER_SECONDS) if delay is None else now + delay
        if key not in self._due or due < self._due[key]:
            self._due[key] = due
            self._changed.set()

    def forget(self, key: Key) -> None:
        for known in (self._due, self._looked, self._failures):
            known.pop(key, None)

    def age_seconds(self) -> float:
        """How long the longest waiting service is overdue."""
        now = asyncio.get_running_loop().time()
        waiting = [now - due for key, due in self._due.items() if key not in self._running]
        return max([0.0, *waiting])

    async def run(self) -> None:
        """Until it is cancelled; looks that are under way are cancelled too."""
        try:
            while True:
                self._changed.clear()
                now = asyncio.get_running_loop().time()
                self._start_due(now)
                await self._until_next(now)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _start_due(self, now: float) -> None:
        ready = sorted(
            (due, str(key), key) for key, due in self._due.items() if due <= now and key not in self._running
        )
        hands = Counter(key.namespace for key in self._running)
        waiting: dict[str, deque[Key]] = {}
        for _, _, key in ready:
            waiting.setdefault(key.namespace, deque()).append(key)
        while waiting and len(self._running) < self._max_concurrency:
            # Of those with the fewest hands, whoever waits longest: dictionaries keep their order.
            namespace = min(waiting, key=lambda each: hands[each])
            if hands[namespace] >= self._most_of_one(namespace):
                break
            self._start(waiting[namespace].popleft(), now)
            hands[namespace] += 1
            if not waiting[namespace]:
                del waiting[namespace]

    def _most_of_one(self, namespace: str) -> int:
        """Looks take as long as what they ask: with a hand kept free, no namespace keeps all others waiting."""
        others = any(key.namespace != namespace for key in self._looked)
        return max(1, self._max_concurrency - self._max_concurrency // 4) if others else self._max_concurrency

    def _start(self, key: Key, now: float) -> None:
        del self._due[key]
        self._looked[key] = now
        self._running[key] = asyncio.create_task(self._one(key), name=f"look at {key}")

    async def _until_next(self, begun: float) -> None:
        """``begun``: what was due then and is not looked at waits for a hand."""
        now = asyncio.get_running_loop().time()
        # With all hands busy, the next look begins when one of them ends, which sets the event.
        ahead = [due for key, due in self._due.items() if key not in self._running and due > begun]
        timeout = max(0.0, min(ahead) - now) if ahead and len(self._running) < self._max_concurrency else None
        # Not wait_for: on Python 3.11 it loses a cancellation that comes together with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()

    async def _one(self, key: Key) -> None:
        try:
            again = await self._work(key)
        except Exception:  # whatever it was, the other services go on
            self._failures[key] = self._failures.get(key, 0) + 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures[key] - 1))
            log.warning("%s is reconciled again in %.0f s", key, pause, exc_info=True)
            self.add(key, pause)
        else:
            self._failures.pop(key, None)
            if again is not None:
                self.add(key, again.total_seconds())
        finally:
            self._running.pop(key, None)
            self._changed.set()
