"""A clock that stands still until a test moves it.

>>> clock = Clock()
>>> clock.advance(5)
>>> clock()
5.0
"""


class Clock:
    """Called it gives ``now``, in seconds: what the chassis takes as ``clock``."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Moves it forward."""
        self.now += seconds
