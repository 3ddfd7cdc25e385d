"""Patterns of documents that come from elsewhere, tried by an engine whose time is linear: ``re`` backtracks."""

import re
from functools import lru_cache
from typing import Any

from .gaps import Undecided

LONGEST_PATTERN, LONGEST_TEXT = 1000, 10_000
MAX_MEMORY = 1 << 20  # bytes, of one pattern
# What ECMA-262 writes otherwise than RE2: \u0041 is \x{0041} there.
_CODE = re.compile(r"\\u([0-9A-Fa-f]{4})")


def matches(pattern: str, text: str) -> bool:
    """Whether the text has a part that matches. Raises Undecided for what RE2 does not read, such as look-ahead."""
    if len(text) > LONGEST_TEXT:
        raise Undecided(f"a text of {len(text)} characters, which patterns are not tried on")
    return _compiled(pattern).search(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import re2  # noqa: PLC0415 # few contracts try a pattern on anything

    if len(pattern) > LONGEST_PATTERN:
        raise Undecided(f"the pattern {pattern[:60]!r} is longer than {LONGEST_PATTERN} characters")
    options = re2.Options()
    options.max_mem, options.log_errors = MAX_MEMORY, False
    try:
        return re2.compile(_CODE.sub(r"\\x{\1}", pattern), options)
    except (re2.error, UnicodeError):
        raise Undecided(f"the pattern {pattern[:60]!r} can't be read by RE2") from None
