"""Ways to be let in: which of those that are asked for are within one that a caller had.

Each pair of two long lists would be compared; those that can't fit are left out by the rarest thing they ask for.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ..schema import Undecided

Alternative = Mapping[str, frozenset[str]]  # schemes that are needed together, each with its scopes
Part = tuple[str, str]  # a scheme and one of its scopes; without a scope, the scheme itself
MAX_STEPS = 5_000_000  # parts of alternatives that are looked at, for all operations of two documents


class Steps:
    """How much may still be looked at. Raises Undecided where that is not enough."""

    def __init__(self, left: int = MAX_STEPS) -> None:
        self.left = left

    def count(self, number: int) -> None:
        self.left -= number
        if self.left < 0:
            raise Undecided("it has more alternatives of security than are compared")


def parts_of(one: Alternative) -> frozenset[Part]:
    return frozenset((name, scope) for name, scopes in one.items() for scope in ("", *scopes))


class Asked:
    def __init__(self, alternatives: Sequence[Alternative], steps: Steps) -> None:
        self._steps = steps
        self._parts = [parts_of(one) for one in alternatives]
        self._schemes = [frozenset((name, "") for name in one) for one in alternatives]
        self._whole = set(self._parts)
        self._by_part, self._by_scheme = _by_rarest(self._parts), _by_rarest(self._schemes)
        steps.count(sum(map(len, self._parts)))

    def enough(self, had: frozenset[Part]) -> bool:
        """Whether one of them asks for no more than that."""
        self._steps.count(len(had))
        return had in self._whole or next(self._within(had, self._parts, self._by_part), None) is not None

    def missing(self, had: frozenset[Part]) -> frozenset[str] | None:
        """The fewest scopes that an alternative of the same schemes asks for besides; None: all have other schemes."""
        found = [self._parts[place] - had for place in self._within(had, self._schemes, self._by_scheme)]
        return frozenset(scope for _, scope in min(found, key=len)) if found else None

    def _within(
        self, had: frozenset[Part], needs: list[frozenset[Part]], index: Mapping[Part, list[int]]
    ) -> Iterator[int]:
        for part in (*had, _NOTHING):
            for place in index.get(part, ()):
                self._steps.count(len(needs[place]) + 1)
                if needs[place] <= had:
                    yield place


_NOTHING: Part = ("", "")


def _by_rarest(needs: Sequence[frozenset[Part]]) -> dict[Part, list[int]]:
    """Places by the part that the fewest others ask for."""
    counts = Counter(part for need in needs for part in need)
    found: dict[Part, list[int]] = {}
    for place, need in enumerate(needs):
        rarest = min(need, key=lambda part: (counts[part], part)) if need else _NOTHING
        found.setdefault(rarest, []).append(place)
    return found
