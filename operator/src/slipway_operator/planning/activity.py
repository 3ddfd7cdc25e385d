"""When each version was active and why it ended, for those who read its record. Nothing rests on it.

It is derived from what is active now. So it costs two writes for a release and one for a version that failed.
"""

from collections.abc import Iterator

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
    if view.noted.active_from and not view.noted.active_until:
        return view.noted
    return Noted(active_from=situation.now)


def _of_other(situation: Situation, view: VersionView) -> Noted:
    noted, held = view.noted, situation.facts.held
    ended = noted.active_until
    if noted.active_from and not ended:
        return Noted(noted.active_from, situation.now, _because(situation, view))
    if held and held.version == view.version and not (ended and ended >= held.at):
        return Noted(noted.active_from, ended, held.message[:1024])
    return noted


def _because(situation: Situation, view: VersionView) -> str:
    held = situation.facts.held
    if held and held.version == view.version:
        return held.message[:1024]
    return f"{situation.name_of(situation.current)} took over"
