"""Types of arguments that several commands take."""

import re
from datetime import timedelta
from typing import Any

import click

_DURATION = re.compile(r"^(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?$")


class Duration(click.ParamType[timedelta]):
    """A time such as 90s, 10m or 1h30m."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Click's own: the words as a timedelta, or a usage error that says what is taken."""
        if isinstance(value, timedelta):
            return value
        found = _DURATION.match(str(value))
        if not found or not any(found.groups()):
            self.fail(f"{value!r} is no duration: give one like 90s, 10m or 1h30m", param, ctx)
        hours, minutes, seconds = (int(each or 0) for each in found.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
