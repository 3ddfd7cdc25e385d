"""What has to hold between the two runs of a lesson: counts of one run beside counts of the other, never times.

>>> relation = read_relation("answered.with > 5 * answered.without")
>>> relation.holds({"answered": 60}, {"answered": 10})
True
>>> relation.holds({"answered": 40}, {"answered": 10})
False
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import LessonUnreadable

# What is counted in each run; what a watch says is shown and never judged, since machines differ.
COUNTS = (
    *("sent", "answered", "refused", "late", "partial"),
    *("placed", "lost", "doubled", "stranded", "untold"),
    *("reached", "opened"),
    *("planted", "caught", "missed"),
    *("started", "killed", "as_root"),
)

Figures = Mapping[str, int]

_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_COUNT = r"(?P<{0}>[a-z0-9_]+)\.(?P<{0}_side>with|without)"
_RELATION = re.compile(
    rf"{_COUNT.format('left')}\s*(?P<sign>=|>=|>|<=|<)\s*"
    rf"(?:(?P<number>\d{{1,9}})|(?:(?P<factor>\d{{1,4}})\s*\*\s*)?{_COUNT.format('right')})"
)


@dataclass(frozen=True, slots=True)
class Count:
    """``name`` of ``COUNTS`` in the run ``side``: with or without the pattern."""

    name: str
    side: str

    def of(self, with_it: Figures, without_it: Figures) -> int:
        return (with_it if self.side == "with" else without_it).get(self.name, 0)


@dataclass(frozen=True, slots=True)
class Relation:
    """``right`` is a number, or a count that is taken ``factor`` times."""

    text: str
    left: Count
    sign: str
    right: Count | int
    factor: int = 1

    def holds(self, with_it: Figures, without_it: Figures) -> bool:
        right = self.right if isinstance(self.right, int) else self.factor * self.right.of(with_it, without_it)
        return _SIGNS[self.sign](self.left.of(with_it, without_it), right)


def read_relation(text: str) -> Relation:
    """Raises LessonUnreadable that says what a relation looks like."""
    found = _RELATION.fullmatch(text.strip())
    if found is None:
        raise LessonUnreadable(
            f"{text!r} is no relation: write lost.without > 0, or answered.with > 5 * answered.without"
        )
    left = _count(found["left"], found["left_side"])
    if found["number"] is not None:
        return Relation(text, left, found["sign"], int(found["number"]))
    right = _count(found["right"], found["right_side"])
    return Relation(text, left, found["sign"], right, int(found["factor"] or 1))


def _count(name: str, side: str) -> Count:
    if name not in COUNTS:
        raise LessonUnreadable(f"{name}.{side} is nothing that a lesson may judge, only: {', '.join(COUNTS)}")
    return Count(name, side)


def broken(harm: str, holds: tuple[Relation, ...], with_it: Figures, without_it: Figures) -> list[str]:
    """What does not hold. Of each lesson is asked that the pattern keeps the harm away and that its lack brings it: a
    lesson that shows nothing has failed.
    """
    wanted = [read_relation(f"{harm}.with = 0"), read_relation(f"{harm}.without > 0"), *holds]
    return [relation.text for relation in wanted if not relation.holds(with_it, without_it)]
