"""Services and their releases, from the files of the data folder. ``steps_of`` and what it needs are pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ....console.model import GateResult, Handover, KeptVersion, Release, ServiceView, Step
from ....errors import LocalRuntimeError
from ....planning.facts import Stage
from ....spec.status import MicroserviceStatus, OpenRelease, ReleaseRecord
from ..layout import Layout
from ..progress import LONGEST_JOURNAL, in_words
from ..releasing import AWAITS, Controls
from ..state import GateRun
from ..system import System
from ..versions import Version

STAGES = frozenset(stage.title for stage in Stage)
EARLY_SECONDS = 0.5  # the journal is written a moment before or after the status
Line = tuple[float, str, str]  # time, what, remark


class Releases:
    """Of all services of one data folder."""

    def __init__(self, layout: Layout, system: System) -> None:
        self._layout, self._system = layout, system

    def look(self) -> list[ServiceView]:
        """Each service with the reason, where its files can't be read."""
        return [self._view(service.name) for service in self._system.services]

    def _view(self, name: str) -> ServiceView:
        try:
            controls = Controls(self._layout, self._system, name)
            folder = self._layout.releases(name)
            for file in ("status.json", "state.json", "wish.json"):
                require_readable(folder / file)
            return view_of(name, controls, _journal(folder / "journal"))
        except LocalRuntimeError as error:
            return ServiceView(name, trouble=str(error))


def require_readable(file: Path) -> None:
    """LocalRuntimeError for a file that is there and holds no JSON; none is there before the first start."""
    try:
        json.loads(file.read_text())
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise LocalRuntimeError(
            f"{file} can't be read ({error}): what is known of this service may be wrong. slipway up writes it anew "
            "when it is stopped and started"
        ) from None


def _journal(file: Path) -> list[Line]:
    try:
        with file.open("rb") as journal:
            end = journal.seek(0, 2)
            journal.seek(max(0, end - LONGEST_JOURNAL))
            return list(lines_of(journal.read(LONGEST_JOURNAL).decode(errors="replace")))
    except OSError:
        return []


def lines_of(text: str) -> Iterator[Line]:
    """Lines of a journal; what is none, such as the half of one, is left out."""
    for line in text.splitlines():
        at, _, rest = line.partition("\t")
        what, tab, remark = rest.partition("\t")
        try:
            moment = float(at)
        except ValueError:
            continue
        if tab:
            yield moment, what, remark


def view_of(name: str, controls: Controls, journal: Iterable[Line]) -> ServiceView:
    status, versions = controls.status(), controls.versions()
    former = _former(controls)
    release = _release(name, status, controls.gates(), versions, list(journal))
    return ServiceView(
        name,
        active=_label(status.active_version, versions),
        previous=former if former != _label(status.active_version, versions) else "",
        candidate=_label(status.candidate_version, versions),
        readiness=status.readiness,
        phase=status.phase,
        sentence=controls.sentence(),
        waits=status.phase in AWAITS,
        actions=tuple(_actions(status, former)),
        versions=tuple(KeptVersion(label, said) for label, said in controls.rows()),
        release=release,
    )


def _former(controls: Controls) -> str:
    try:
        return controls.former().label
    except LocalRuntimeError:
        return ""


def _actions(status: MicroserviceStatus, former: str) -> Iterator[str]:
    """What makes sense now; who asks for something else gets the reason."""
    going = status.release is not None and not status.release.accepted_at and status.release.kind == "Release"
    if status.phase == "Waiting":
        yield "promote"
    if going and former:
        yield "abort"
    elif former and status.release is None:
        yield "rollback"


def _release(
    name: str, status: MicroserviceStatus, gates: Iterable[GateRun], versions: Mapping[str, Version],
    journal: list[Line],
) -> Release | None:  # fmt: skip
    """The one that goes on; else the last one that was more than a first start."""
    if status.release:
        return _open(name, status, status.release, gates, versions, journal)
    past = last_of(status.history)
    return _past(name, *past, gates, versions, journal) if past else None


def last_of(history: Sequence[ReleaseRecord]) -> tuple[ReleaseRecord, datetime] | None:
    """The last one, and when it was over. A rollback after a failure belongs to the release that failed: that one has
    the reason.
    """
    past = [record for record in history if record.kind != "Install"]
    if not past:
        return None
    undone = len(past) > 1 and past[-1].kind == "Undo" and past[-2].result == "Failed"
    return (past[-2] if undone else past[-1]), past[-1].ended


def _open(  # noqa: PLR0917 # each is another part of one picture
    name: str, status: MicroserviceStatus, release: OpenRelease, gates: Iterable[GateRun],
    versions: Mapping[str, Version], journal: list[Line],
) -> Release:  # fmt: skip
    began = release.started.timestamp()
    steps = steps_of(name, journal, began, None)
    if status.step in STAGES and (not steps or steps[-1].stage != status.step):
        at = max(release.since.timestamp(), steps[-1].began if steps else began)
        steps = [*(step_ended(steps, at)), Step(status.step, "", at)]
    ran = [each for each in gates if each.version == release.version and each.attempt == release.attempt]
    return Release(
        _label(release.version, versions),
        release.kind,
        began,
        steps=tuple(steps),
        gates=tuple(_gate(each, versions) for each in ran),
        handover=_handover(release),
    )


def _past(  # noqa: PLR0917 # each is another part of one picture
    name: str, record: ReleaseRecord, over: datetime, gates: Iterable[GateRun], versions: Mapping[str, Version],
    journal: list[Line],
) -> Release:  # fmt: skip
    began, ended = record.started.timestamp(), over.timestamp()
    pause = record.handover_pause_milliseconds
    steps = steps_of(name, journal, began, ended)
    return Release(
        record.label or _label(record.version, versions),
        record.kind,
        began,
        ended,
        record.result,
        in_words(record.reason, versions),
        tuple(step_failed(steps, record.ended.timestamp()) if record.result == "Failed" else steps),
        tuple(_gate(each, versions) for each in gates if each.version == record.version),
        pause=None if pause is None else pause / 1000,
    )


def steps_of(name: str, journal: Iterable[Line], began: float, ended: float | None) -> list[Step]:
    """The stages that the journal tells between the two times; each ends where the next one begins."""
    steps: list[Step] = []
    for at, what, remark in journal:
        service, _, stage = what.partition(" ")
        within = began - EARLY_SECONDS <= at and (ended is None or at <= ended + EARLY_SECONDS)
        if service == name and stage in STAGES and within:
            steps = [*step_ended(steps, at), Step(stage, remark, at)]
    return list(step_ended(steps, ended)) if ended is not None else steps


def step_ended(steps: list[Step], at: float) -> Iterator[Step]:
    """The last one ended then."""
    yield from steps[:-1]
    for last in steps[-1:]:
        yield Step(last.stage, last.said, last.began, max(at, last.began))


def step_failed(steps: list[Step], at: float) -> Iterator[Step]:
    """The one that went on at that time did; those behind it belong to the way back."""
    before = [step for step in steps if step.began <= at]
    for step in steps:
        yield replace(step, failed=bool(before) and step is before[-1])


def _handover(release: OpenRelease) -> Handover | None:
    if release.handover_started is None:
        return None
    began, ended = release.handover_started.timestamp(), _seconds(release.handover_ended)
    return Handover(began, ended, None if ended is None else max(0.0, ended - began))


def _gate(run: GateRun, versions: Mapping[str, Version]) -> GateResult:
    label, said = _label(run.version, versions), in_words(run.message, versions)
    return GateResult(run.gate, label, run.state.value, said, run.started.timestamp(), _seconds(run.finished))


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at else None


def _label(version: str, versions: Mapping[str, Version]) -> str:
    return versions[version].label if version in versions else version
