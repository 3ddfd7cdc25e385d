"""Times, names and text from the cluster, as people read them."""

import unicodedata
from datetime import UTC, datetime, timedelta

LONGEST = 600
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Categories of characters that move the cursor, hide text or reorder it: controls, formats, surrogates, private use.
_UNSEEN = {"Cc", "Cf", "Cs", "Co"}


def clean(text: str, longest: int = LONGEST) -> str:
    """One line without anything a terminal would act on, of bounded length."""
    seen = "".join(" " if unicodedata.category(each) in _UNSEEN else each for each in text[: longest * 2])
    line = seen.strip()
    return line if len(line) <= longest else line[: longest - 1] + "…"


def span(length: timedelta) -> str:
    """Two units at most, as in ``3 min 20 s``; never negative."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return _pair(seconds, _MINUTE, "min", "s", 1)
    if seconds < _DAY:
        return _pair(seconds, _HOUR, "h", "min", _MINUTE)
    return _pair(seconds, _DAY, "d", "h", _HOUR)


def _pair(seconds: int, unit: int, name: str, smaller: str, size: int) -> str:
    rest = seconds % unit // size
    return f"{seconds // unit} {name}" + (f" {rest} {smaller}" if rest else "")


def ago(when: datetime, now: datetime) -> str:
    return f"{span(now - when)} ago"


def clock(when: datetime, now: datetime) -> str:
    """The time in UTC, as status and logs have it; with the day where that is another one."""
    same = when.date() == now.date()
    return f"{when:%H:%M:%S} UTC" if same else f"{when:%Y-%m-%d %H:%M:%S} UTC"


def until(when: datetime, now: datetime) -> str:
    return f"{clock(when, now)} (in {span(when - now)})" if when > now else f"{clock(when, now)} ({ago(when, now)})"


def plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def utc_now() -> datetime:
    return datetime.now(UTC)
