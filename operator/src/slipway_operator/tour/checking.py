"""A lesson of checks from its copy to its judgement."""

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import LessonFailed
from .checks import HARM, Change, Check, Checks
from .measuring import Measured
from .relations import broken
from .working_copy import WorkingCopy

Tell = Callable[[Change, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True)
class Noticed:
    """``red``: what a check named, for each change in its order; nothing for one that it missed."""

    counts: Measured
    red: tuple[tuple[str, ...], ...]


class CheckRun:
    """``tell`` gets each change, and what it made red."""

    def __init__(self, checks: Checks, copy: WorkingCopy, tell: Tell) -> None:
        self._checks, self._copy, self._tell = checks, copy, tell

    def require_green(self) -> None:
        """Of a check that is red before anything is changed nothing can be learned: LessonFailed."""
        if red := self._copy.red(self._checks.both):
            raise LessonFailed(
                f"before anything is changed, {_first(red)} is red: mend that first, since "
                f"nothing can be learned from it. .venv/bin/pytest {' '.join(self._checks.both.tests)} says why"
            )

    def real(self) -> Noticed:
        """A change is caught by what names what it should."""
        return self._noticed(self._checks.real, lambda change, red: change.named in red)

    def naive(self) -> Noticed:
        """A change is caught by anything that is red."""
        return self._noticed(self._checks.naive, lambda _, red: bool(red))

    def judged(self, real: Noticed, naive: Noticed) -> tuple[str, ...]:
        """What does not hold."""
        return tuple(broken(HARM, self._checks.relations, real.counts.counts, naive.counts.counts))

    def _noticed(self, check: Check, catches: Callable[[Change, tuple[str, ...]], bool]) -> Noticed:
        found: list[tuple[str, ...]] = []
        caught = 0
        for change in self._checks.change:
            with self._copy.planted(change):
                red = self._copy.red(check)
            found.append(red)
            caught += catches(change, red)
            self._tell(change, red)
        planted = len(self._checks.change)
        return Noticed(Measured({"planted": planted, "caught": caught, "missed": planted - caught}), tuple(found))


def _first(red: tuple[str, ...]) -> str:
    return red[0] + (f" (as {len(red) - 1} more)" if len(red) > 1 else "")
