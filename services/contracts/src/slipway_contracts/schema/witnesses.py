"""Texts that one pattern matches and another does not. Each is tried by RE2; none found proves nothing."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from re import _constants, _parser  # type: ignore[attr-defined] # the standard library's own reader of patterns
from typing import Any

from .patterns import LONGEST_PATTERN, matches

PLAIN = ("a", "0", "A", " ", "-", ".", "_", "é", "\n")
VARIANTS = 16  # of one pattern
LONGEST_RUN = 200  # of a part that has a largest number
LONGEST_SAMPLE = 2000
_CATEGORIES = {
    _constants.CATEGORY_DIGIT: "07", _constants.CATEGORY_WORD: "aZ_0", _constants.CATEGORY_SPACE: " \t",
    _constants.CATEGORY_NOT_DIGIT: "a-", _constants.CATEGORY_NOT_WORD: " -", _constants.CATEGORY_NOT_SPACE: "a-",
}  # fmt: skip


def refused(pattern: str, patterns: Iterable[str], counts: Mapping[str, int]) -> str | None:
    """A text that all ``patterns`` match, as long as ``counts`` (minLength, maxLength) allow, and ``pattern`` does not;
    None: none was found. Raises Undecided for a pattern that RE2 does not read.
    """
    return next((text for text in _texts(patterns, counts) if not matches(pattern, text)), None)


def outside(listed: Collection[str], patterns: Iterable[str], counts: Mapping[str, int]) -> str | None:
    """As ``refused``, for a text that is none of those listed."""
    return next((text for text in _texts(patterns, counts) if text not in listed), None)


def _texts(patterns: Iterable[str], counts: Mapping[str, int]) -> Iterator[str]:
    """Some that all patterns match."""
    known = sorted(patterns)
    shortest, longest = counts.get("minLength", 0), counts.get("maxLength", LONGEST_SAMPLE)
    for text in _candidates(known, shortest, longest):
        if shortest <= len(text) <= longest and all(matches(one, text) for one in known):
            yield text


def _candidates(patterns: list[str], shortest: int, longest: int) -> Iterator[str]:
    for size in sorted({shortest, shortest + 1, min(longest, shortest + 20)}):
        yield from (letter * min(size, LONGEST_SAMPLE) for letter in PLAIN)
    for pattern in patterns:
        for text in _samples(pattern):
            yield from (text, f"{text}x", f"x{text}", text + "x" * max(0, min(shortest, LONGEST_SAMPLE) - len(text)))


def _samples(pattern: str) -> Iterator[str]:
    """Texts that should match, by what Python reads in it."""
    if len(pattern) > LONGEST_PATTERN:
        return
    try:
        parts = _parser.parse(pattern)
        for variant in range(VARIANTS):
            yield _written(parts, variant)[:LONGEST_SAMPLE]
    except (re.error, RecursionError, OverflowError):
        return


def _written(parts: Any, variant: int) -> str:
    """One text; ``variant`` chooses among branches, letters and numbers of repetitions."""
    text = ""
    for operation, argument in parts:
        text += _part(operation, argument, variant)
        if len(text) > LONGEST_SAMPLE:
            break
    return text


def _part(operation: Any, argument: Any, variant: int) -> str:
    if operation in {_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN}:
        return _letter([(operation, argument)] if operation is not _constants.IN else argument, variant)
    if operation is _constants.BRANCH:
        return _written(argument[1][variant % len(argument[1])], variant)
    if operation is _constants.SUBPATTERN:
        return _written(argument[-1], variant)
    if operation in {_constants.MAX_REPEAT, _constants.MIN_REPEAT}:
        least, most, inner = argument
        longest = most if most <= LONGEST_RUN else least
        times = (least, min(most, least + 1), min(most, max(least, 1) + 7), longest)[variant % 4]
        return _written(inner, variant) * int(min(times, LONGEST_SAMPLE))
    return ""  # anchors stand for no letter, and what looks ahead RE2 does not read


def _letter(options: Any, variant: int) -> str:
    letters = ""
    if options[0][0] in {_constants.NEGATE, _constants.NOT_LITERAL, _constants.ANY}:
        return "a0-~ \x7f"[variant % 6]  # RE2 says which of them fit
    for operation, argument in options:
        if operation is _constants.LITERAL:
            letters += chr(argument)
        elif operation is _constants.RANGE:
            letters += chr(argument[0]) + chr(argument[1])
        elif operation is _constants.CATEGORY:
            letters += _CATEGORIES.get(argument, "a")
    return letters[variant // 3 % len(letters)] if letters else ""
