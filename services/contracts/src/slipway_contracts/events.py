"""JSON Schemas of events, as a registry compares them: backward, forward, full; with one or all earlier versions.

>>> old = {"type": "object", "properties": {"id": {"type": "integer"}}, "additionalProperties": False}
>>> new = {**old, "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}
>>> [one.rule for one in compare_schemas(old, new, Mode.BACKWARD)]
[]
>>> [one.rule for one in compare_schemas(old, new, Mode.FORWARD)]
['event-closed-widened']
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .findings import Finding, Mode, listed
from .schema import Comparisons, Reading, with_full_addresses
from .wording import Direction, findings_of

# Confluent's two policies. Events of the chassis hold what their class declares and nothing else, so it asks LENIENT.
STRICT = Reading(undeclared=True, defaults=True)
LENIENT = Reading(undeclared=False, defaults=True, always_sent=True)


def compare_schemas(
    old: Any,
    new: Any,
    mode: Mode,
    *,
    reading: Reading = STRICT,
    where: str = "the event",
    place: Sequence[str] = (),
    roots: tuple[Any, Any] | None = None,
    comparisons: Comparisons | None = None,
) -> list[Finding]:
    """``mode`` as the registry has it: BACKWARD, the new schema reads what the old one wrote; FORWARD, the reverse.
    ``roots``: the documents that references lead into, where they are not the schemas themselves. ``comparisons``: what
    other schemas of the same documents were compared with.
    """
    if roots is None:
        old, new = (old, new) if old is new else map(with_full_addresses, (old, new))
    old_root, new_root = roots or (old, new)
    found: list[Finding] = []
    asked = comparisons or Comparisons(thorough=old is new)
    if mode is not Mode.FORWARD:
        narrowed = asked.between(old_root, new_root, replace(reading, always_sent=False)).gaps(old, new)
        found += findings_of(narrowed, scope="event", direction=Direction.NARROWED, where=where, place=tuple(place))
    if mode is not Mode.BACKWARD:
        widened = asked.between(new_root, old_root, reading).gaps(new, old)
        found += findings_of(widened, scope="event", direction=Direction.WIDENED, where=where, place=tuple(place))
    return listed(found)


def compare_transitively(
    earlier: Mapping[str, Any], new: Any, mode: Mode, *, reading: Reading = STRICT
) -> list[Finding]:
    """With every earlier version, by its name: a topic keeps events of all of them. Each finding is said once."""
    found: dict[tuple[str, str, str], Finding] = {}
    for name, old in earlier.items():
        for one in compare_schemas(old, new, mode, reading=reading, where=f"the event, compared with {name}"):
            found.setdefault((one.rule, one.place, repr(one.before)), one)
    return list(found.values())
