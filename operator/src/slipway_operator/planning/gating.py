"""Gates: each runs until it has a result that counts. No data is no result, and no result in time is a failure."""

from dataclasses import dataclass, replace
from datetime import datetime

from .desired import GateSpec
from .observed import GateState, GateView
from .situation import Situation
from .stage_status import Deadline, Failure
from .steps import RunGate, Step


@dataclass(frozen=True, slots=True)
class GateStatus:
    steps: tuple[Step, ...] = ()
    waiting: str = ""
    failed: str = ""
    deadline: Deadline | None = None  # of a gate that has no result yet
    passes_at: datetime | None = None  # a gate in dry run decides nothing, and is waited for until then
    again_at: datetime | None = None


def before_promotion(situation: Situation, version: str, attempt: int) -> GateStatus:
    """One after the other, in the order of the spec: a later gate may count on what an earlier one found."""
    for gate in situation.desired.gates:
        if gate.after_promotion:
            continue
        verdict = _once(situation, gate, _view(situation, version, gate, attempt), version, attempt)
        if verdict is not None:
            last = _all_passed(situation, version, attempt, but=gate)
            return verdict if last else replace(verdict, passes_at=None)
    return GateStatus()


def _all_passed(situation: Situation, version: str, attempt: int, *, but: GateSpec) -> bool:
    others = [gate for gate in situation.desired.gates if gate is not but and not gate.after_promotion]
    views = [_view(situation, version, gate, attempt) for gate in others]
    return all(view is not None and view.state is GateState.PASSED for view in views)


def after_promotion(situation: Situation, version: str, attempt: int, *, ends: datetime) -> GateStatus:
    """All at once, and again after each interval until the watch ends; then each must have passed once more."""
    steps: list[Step] = []
    waiting, failed = "", ""
    again: list[datetime] = []
    deadlines: list[Deadline] = []
    for gate in situation.desired.gates:
        if not gate.after_promotion:
            continue
        view = _view(situation, version, gate, attempt)
        verdict = _once(situation, gate, view, version, attempt) or _once_more(situation.now, gate, view, version, ends)
        steps += verdict.steps
        waiting, failed = waiting or verdict.waiting, failed or verdict.failed
        again += [verdict.again_at] if verdict.again_at else []
        deadlines += [verdict.deadline] if verdict.deadline else []
    first = min(deadlines, key=lambda deadline: deadline.at, default=None)
    return GateStatus(tuple(steps), waiting, failed, first, again_at=min(again, default=None))


def _once_more(now: datetime, gate: GateSpec, view: GateView | None, version: str, ends: datetime) -> GateStatus:
    """Of a gate that has passed, or may not decide."""
    if view is None or (now >= ends and (gate.dry_run or _asked_at_the_end(view, ends, now))):
        return GateStatus()
    step = RunGate(gate.name, version, view.attempt, view.run + 1)
    if now >= ends:
        return GateStatus((step,), waiting=f"gate {gate.name} is asked at the end of the watch")
    due = _due(gate, view, now)
    return GateStatus((step,)) if due <= now else GateStatus(again_at=due)


def _asked_at_the_end(view: GateView, ends: datetime, now: datetime) -> bool:
    """Whether its last run began when the watch was over. Some clocks have whole seconds alone."""
    return ends.replace(microsecond=0) <= view.started <= now


def _due(gate: GateSpec, view: GateView, now: datetime) -> datetime:
    """When it is asked again. A time that lies ahead, since a clock was set back, says nothing."""
    asked = [each for each in (view.finished, view.started) if each and each <= now]
    return asked[0] + gate.interval if asked else now


def first_started(former: GateView | None, attempt: int, now: datetime) -> datetime:
    """Of a run that begins now: when the first of those began that had no result. Its time counts from there."""
    goes_on = former is not None and former.attempt == attempt and former.state is not GateState.PASSED
    return min(former.first_started, now) if former and goes_on else now


def _view(situation: Situation, version: str, gate: GateSpec, attempt: int) -> GateView | None:
    """The last run in this attempt; an earlier attempt's result says nothing about this one."""
    view = situation.observed.gates.get((version, gate.name))
    return view if view and view.attempt == attempt else None


def _once(situation: Situation, gate: GateSpec, view: GateView | None, version: str, attempt: int) -> GateStatus | None:
    """None: it has passed, or is not allowed to decide."""
    now = situation.now
    if view is None:
        return GateStatus((RunGate(gate.name, version, attempt, 1),), waiting=f"gate {gate.name} is started")
    if view.state is GateState.PASSED:
        return None
    said = f": {view.message}" if view.message else ""
    if view.state is GateState.FAILED:
        return None if gate.dry_run else GateStatus(failed=f"gate {gate.name} failed{said}")
    running = view.state is GateState.RUNNING
    ends = _ends(situation, gate, view)
    if gate.dry_run and now >= ends:
        return None
    due = _due(gate, view, now)
    steps = () if running or due > now else (RunGate(gate.name, version, attempt, view.run + 1),)
    what = "is running" if running else f"has no data{said}"
    return GateStatus(
        steps,
        waiting=f"gate {gate.name} {what}",
        deadline=None if gate.dry_run else Deadline(ends, Failure("GateFailed", _in_time(gate, said, running=running))),
        passes_at=ends if gate.dry_run else None,
        again_at=ends if running else (None if steps else min(due, ends)),
    )


def _ends(situation: Situation, gate: GateSpec, view: GateView) -> datetime:
    """A gate that is run again while a version is watched has its time from the start of that run; and any has all of
    it after a pause.
    """
    again = gate.after_promotion and view.state is GateState.RUNNING
    began = min(view.started if again else view.first_started, situation.now)
    since = situation.release.since if situation.release else began
    return max(began, since) + gate.timeout


def _in_time(gate: GateSpec, said: str, *, running: bool) -> str:
    what = "had no result" if running else "had no data"
    return f"gate {gate.name} {what} within {int(gate.timeout.total_seconds())} s{said}"
