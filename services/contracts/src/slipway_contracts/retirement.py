"""When a major version may go: there is a newer one, and nobody calls this one any more. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .findings import Finding, Severity

VERSION_DROPPED = "version-dropped"
MAJOR = re.compile(r"^(?P<name>.*?)\.?v(?P<number>[0-9]+)$")


@dataclass(frozen=True, slots=True)
class Usage:
    """``calls``: in the last window by major version, as far as they are known. ``counted``: what that rests on."""

    calls: Mapping[str, float] = field(default_factory=dict)
    counted: str = ""


def version_dropped(version: str, place: str, kept: list[str], usage: Usage) -> Finding:
    """A whole major is gone: right if there is another one and nobody calls this one any more."""
    calls = usage.calls.get(version)
    told = f" ({usage.counted})" if usage.counted else ""
    newer = successors(version, kept)
    undecided = bool(newer) and calls is None
    if not newer:
        severity, why = Severity.BREAKING, "and no newer one takes its place. Keep it"
    elif calls is None:
        severity, why = Severity.WARNING, f"and nobody knows whether it is still called{told}. Look before it goes"
    elif calls > 0:
        severity, why = Severity.BREAKING, f"and was called {calls:g} times lately{told}. Keep it until nobody calls it"
    else:
        severity, why = Severity.SAFE, f"{newer[-1]} takes its place, and nobody called it lately{told}"
    return Finding(
        rule=VERSION_DROPPED, place=place, before=version, after=newer[-1] if newer else None, severity=severity,
        sentence=f"{version} is gone, {why}.", undecided=undecided,
    )  # fmt: skip


def successors(name: str, others: Iterable[str]) -> list[str]:
    """What has the same name and a higher major.

    >>> successors("orders.OrderPaid.v1", ["orders.OrderPaid.v2", "orders.OrderPlaced.v2"])
    ['orders.OrderPaid.v2']
    """
    mine = MAJOR.match(name)
    found = [(MAJOR.match(other), other) for other in others]
    return sorted(
        other
        for match, other in found
        if mine and match and match["name"] == mine["name"] and int(match["number"]) > int(mine["number"])
    )
