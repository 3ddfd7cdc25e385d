"""Three tries at once: what is overloaded is asked three times as often."""

from collections.abc import Callable

TRIES = 3


def call(function: Callable[[], str]) -> str:
    for _ in range(TRIES - 1):
        try:
            return function()
        except OSError:
            continue
    return function()
