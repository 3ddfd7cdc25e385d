"""When each version was active and why it ended, for those who read its record; and whether it was ever good, which
decides whether a rollback may name it.

It is derived from what is active now. So it costs three writes for a release and two for a version that failed.
"""

from collections.abc import Iterator
from dataclasses import replace

from .observed import Noted, VersionView
from .situation import Situation
from .steps import NoteActivity


def steps(situation: Situation) -> Iterator[NoteActivity]:
    if situation.current is None:
        return
    for view in situation.observed.versions.values():
        noted = _of_active(situation, view) if view.version == situation.current else _of_other(situation, view)
        if view.recorded and noted != view.noted:
            yield NoteActivity(view.version, noted)


def _of_active(situation: Situation, view: VersionView) -> Noted:
    released = _released(situation, view)
    if view.noted.active_from and not view.noted.active_until:
        return view.noted if view.noted.released is released else replace(view.noted, released=released)
    return Noted(active_from=situation.now, released=released)


def _released(situation: Situation, view: VersionView) -> bool | None:
    """None stays, of a record that was written before this was kept, until a release of it has succeeded."""
    if view.version == situation.facts.stable:
        return True
    return view.noted.released if view.noted.active_from else False


def _of_other(situation: Situation, view: VersionView) -> Noted:
    noted, held = view.noted, situation.facts.held
    ended = noted.active_until
    if noted.active_from and not ended:
        return replace(noted, active_until=situation.now, because=_because(situation, view))
    if held and held.version == view.version and not (ended and ended >= held.at):
        return replace(noted, because=held.message[:1024])
    return noted


def _because(situation: Situation, view: VersionView) -> str:
    held = situation.facts.held
    if held and held.version == view.version:
        return held.message[:1024]
    return f"{situation.name_of(situation.current)} took over"
