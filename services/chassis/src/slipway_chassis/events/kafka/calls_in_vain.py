"""When a producer is given up although each of its errors may be mended by a later try. Pure."""

from collections.abc import Sequence

from ...errors import PublishFailed

MAX_IN_VAIN = 3


class CallsInVain:
    """Calls in a row of which no record was acknowledged.

    What an idempotent producer knows of a broker that lost its data may keep it from writing for good: a new one does.
    """

    def __init__(self) -> None:
        self._calls = 0

    def too_many(self, outcomes: Sequence[PublishFailed | None]) -> bool:
        """Counts the call with these outcomes, of which None is an acknowledgement."""
        self._calls = self._calls + 1 if outcomes and all(outcomes) else 0
        return self._calls >= MAX_IN_VAIN
