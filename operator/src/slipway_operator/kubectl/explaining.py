"""Why a service stands where it stands: what must be so, what is not, until when, and what a person can do. Pure.

All of it comes from the spec, the status and what runs. Deadlines are the planner's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..planning.deadlines import deadline_of, return_ends
from ..planning.facts import OpenRelease, Stage
from ..planning.observed import GateState, GateView, JobState
from ..planning.permissions import promoted
from ..planning.promotion_window import closed_because
from ..planning.scaling import drain_end
from ..planning.stage_status import StageStatus
from ..planning.stages import stage_status
from .snapshot import Snapshot
from .text import ago, clean, plural, span, until

# An operator that is late by more than this has probably ended; it looks at everything every five minutes.
OVERDUE = timedelta(seconds=30)
_MINUTES_OF_A_WEEK = 7 * 24 * 60 + 1
OPERATOR = "kubectl get pods -A -l app.kubernetes.io/part-of=slipway,app.kubernetes.io/component=operator"


@dataclass(frozen=True, slots=True)
class Explanation:
    headline: str
    points: tuple[tuple[str, str], ...]  # a word and its sentence
    next: tuple[tuple[str, str], ...]  # a command and what it does


def explain(snapshot: Snapshot) -> Explanation:
    points = [*_stale(snapshot), *_points(snapshot), *_pinned(snapshot), *_served_before(snapshot)]
    return Explanation(
        clean(_headline(snapshot)),
        tuple((word, clean(sentence)) for word, sentence in points if sentence),
        tuple(dict.fromkeys(_next(snapshot))),
    )


# --- the headline
def _headline(snapshot: Snapshot) -> str:
    status, release, name = snapshot.status, snapshot.status.release, snapshot.name
    if status.observed_generation < 0:
        return f"{name} has not been looked at by the operator yet"
    if status.phase in {"Suspended", "Paused"}:
        return f"{name} is {'paused' if status.phase == 'Paused' else 'stopped on purpose'}"
    if release is None:
        return _at_rest(snapshot)
    title = snapshot.title(release.version)
    since = span(snapshot.now - release.since)
    if release.kind == "Undo":
        return f"{name} goes back to {title}: step {status.step} for {since}"
    if release.accepted_at:
        return f"{name} has released {title} and finishes: step {status.step} for {since}"
    verb = {"Rollback": "is rolled back to", "Install": "installs"}.get(release.kind, "releases")
    doing = {"Waiting": f"waits to release {title}", "Watching": f"watches {title}"}.get(
        status.phase, f"{verb} {title}"
    )
    return f"{name} {doing}: step {status.step} for {since}"


def _at_rest(snapshot: Snapshot) -> str:
    status, name = snapshot.status, snapshot.name
    if status.phase == "Failed" and status.held_version:
        held = status.held_version
        ended = "has released" if held.reason == "ContractFailed" else "gave up"
        return f"{name} {ended} {snapshot.title(held.version)} {ago(held.at, snapshot.now)}: {held.reason}"
    if status.phase == "Blocked":
        return f"{name} can't do what release.activeVersion says"
    if not status.active_version:
        return f"{name} has no active version"
    if _is_held_back(snapshot):
        spec = snapshot.title(snapshot.desired.version)
        return f"{name} stays with {snapshot.title(status.active_version)}: release.activeVersion holds {spec} back"
    ready = next((each for each in status.conditions if each.type == "Ready"), None)
    if ready and ready.status == "False":
        return f"{name} is not healthy: {snapshot.title(status.active_version)} is active, {ready.message}"
    return f"{name} waits for nothing: {snapshot.title(status.active_version)} is active"


def _is_held_back(snapshot: Snapshot) -> bool:
    pinned = snapshot.desired.pinned
    return bool(pinned) and pinned != snapshot.desired.version and pinned == snapshot.status.active_version


# --- what is so, and what is not
def _stale(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    seen = snapshot.status.observed_generation
    if snapshot.seen:
        return
    if seen >= 0:
        said = f"the spec was changed (generation {snapshot.generation}), and the status speaks of generation {seen}"
        yield "note", f"{said}; the operator looks within a second, where it runs"
    else:
        yield "why", "no operator has written its status: it has to run, and to watch this namespace"


def _points(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    status, release = snapshot.status, snapshot.facts.release
    if status.observed_generation < 0:
        return
    if status.suspended == "Workers":
        yield "suspended", "spec.suspend is Workers: consumers, relays and workers are stopped on purpose"
    if status.phase == "Suspended":
        yield "why", status.blocked_by
        if release:
            yield "standing", f"the {_noun(release)} of {snapshot.title(release.version)} goes on when it is None"
    elif status.phase == "Paused":
        yield "why", "release.paused is true: steps stand still, sizes are followed, and no deadline passes"
        if release:
            title = snapshot.title(release.version)
            yield "standing", f"the {_noun(release)} of {title} had reached {release.reached.title}"
    elif release:
        yield from _of_release(snapshot, release)
    else:
        yield from _resting(snapshot)
    yield "meanwhile", _meanwhile(snapshot)


def _noun(release: OpenRelease) -> str:
    return {"Install": "installation", "Undo": "way back"}.get(release.kind, release.kind.lower())


def _of_release(snapshot: Snapshot, release: OpenRelease) -> Iterator[tuple[str, str]]:
    stage = Stage.of(snapshot.status.step)
    yield "condition", condition(snapshot, release, stage)
    yield "unmet", _unmet(snapshot)
    yield from _details(snapshot, release, stage)
    yield "deadline", _deadline_sentence(snapshot, release, stage)


def _unmet(snapshot: Snapshot) -> str:
    return snapshot.unmet or "nothing: the operator is at it"


def condition(snapshot: Snapshot, release: OpenRelease, stage: Stage) -> str:
    """What must be so for the step to end."""
    situation, version = snapshot.situation, snapshot.title(release.version)
    full = f"{plural(situation.full_size, 'ready pod')} of {version}"
    first = situation.preview_size if release.careful else situation.return_size
    behind = situation.full_size if release.careful else situation.return_size
    before = [gate.name for gate in snapshot.desired.gates if not gate.after_promotion]
    exclusive = "the former consumers have ended, then all" if snapshot.desired.exclusive else "all"
    return {
        Stage.RECORDING: f"the record of {version} exists",
        Stage.MIGRATING: "the expand migration has succeeded, and no other migration runs",
        Stage.STARTING: f"{plural(first, 'ready pod')} of {version}",
        Stage.PREVIEWING: f"the preview Service selects {version}",
        Stage.CHECKING: f"all gates before promotion have passed: {', '.join(before)}",
        Stage.SCALING: full,
        Stage.PROMOTING: _permission(snapshot, release),
        Stage.HANDING_OVER: f"{exclusive} consumers and relays of {version} run",
        Stage.ROLLING: f"pods are replaced one by one, until there are {full}",
        Stage.SWITCHING: f"the active Service selects {version}, which has {plural(behind, 'ready pod')}",
        Stage.VERIFYING: f"only pods of {version} are behind the active Service",
        Stage.WATCHING: f"{version} stays healthy for {span(snapshot.desired.watch)} with all requests",
        Stage.RETURNING: f"consumers and relays of {version} run, and no others",
        Stage.DRAINING: "former versions are scaled down, after scaleDownDelaySeconds",
        Stage.CONTRACTING: "the contract migration has ended",
    }[stage]


def _permission(snapshot: Snapshot, release: OpenRelease) -> str:
    window = " in the promotion window" if snapshot.desired.window else ""
    if release.plan:
        return f"plan {release.plan} lets it go on, or a person promotes it once the plan is gone{window}"
    if snapshot.desired.auto_promote or promoted(snapshot.desired, snapshot.facts, release):
        return f"the time of the promotion is{window or ' now'}"
    return f"a person promotes it{window}, since strategy.autoPromote is false"


def _details(snapshot: Snapshot, release: OpenRelease, stage: Stage) -> Iterator[tuple[str, str]]:
    """What the children say about it."""
    observed = snapshot.observed
    if observed is None:
        return
    view = observed.versions.get(release.version)
    for problem in view.problems if view else ():
        said = f"{problem.message}, " if problem.message not in snapshot.unmet else ""
        yield "pods", f"{said}in trouble for {span(snapshot.now - problem.since)}: {problem.reason}"
    for gate in snapshot.desired.gates:
        found = observed.gates.get((release.version, gate.name))
        asked = (
            gate.after_promotion if stage is Stage.WATCHING else stage is Stage.CHECKING and not gate.after_promotion
        )
        if asked and found and found.attempt == release.attempt and found.state is not GateState.PASSED:
            yield "gate", f"{gate.name}: {_gate(found, snapshot.now)}"
    if stage is Stage.PROMOTING and snapshot.desired.window and closed_because(snapshot.desired.window, snapshot.now):
        opens = window_opens(snapshot)
        yield "window", f"it opens at {until(opens, snapshot.now)}" if opens else "it does not open within a week"


def _gate(view: GateView, now: datetime) -> str:
    said = f": {view.message}" if view.message else ""
    return f"{view.state.value.lower()}, try {view.run}, since {ago(view.started, now)}{said}"


def window_opens(snapshot: Snapshot) -> datetime | None:
    """The next minute at which the promotion window is open; None: not within a week."""
    start = snapshot.now.replace(second=0, microsecond=0)
    for minutes in range(1, _MINUTES_OF_A_WEEK):
        when = start + timedelta(minutes=minutes)
        if not closed_because(snapshot.desired.window, when):
            return when
    return None


def fails_at(snapshot: Snapshot) -> datetime | None:
    """When the planner ends the open release if nothing changes; None: not by time, or not while it is paused."""
    release = snapshot.facts.release
    if release is None or snapshot.desired.paused or snapshot.desired.suspend == "All":
        return None
    situation = snapshot.situation
    release = situation.release or release
    step = snapshot.status.step  # none while it was paused
    found = stage_status(situation, release) if snapshot.observed else None
    if found is None or (step and found.stage.title != step):  # the operator sees more than this plugin: the broker
        found = StageStatus(Stage.of(step), by_person=snapshot.status.phase == "Waiting")
    deadline = deadline_of(situation, release, found)
    return deadline.at if deadline else None


def _deadline_sentence(snapshot: Snapshot, release: OpenRelease, stage: Stage) -> str:
    now, stable = snapshot.now, snapshot.status.stable_version
    ends = fails_at(snapshot)
    if ends:
        back = f"it goes back to {snapshot.title(stable)}" if stable and stable != release.version else "it is held"
        late = now - ends
        if late > OVERDUE:
            return f"{until(ends, now)}, and nothing was done: the operator does not seem to run"
        return f"{until(ends, now)}; then {back}"
    if stage is Stage.DRAINING:
        times = [drain_end(snapshot.situation, each.version) for each in snapshot.status.draining]
        ends = min([each for each in times if each], default=None)
        if ends and ends <= now:  # no plan any more: something else keeps it
            return f"none; its time for a way back ended {ago(ends, now)}"
        return f"none; scaled down at {until(ends, now)}" if ends else "none"
    if stage is Stage.WATCHING and release.promoted_at:
        return f"none; the watch ends at {until(release.promoted_at + snapshot.desired.watch, now)}"
    return _patience(release, stage) + _without_the_rest(snapshot, release, stage)


def _without_the_rest(snapshot: Snapshot, release: OpenRelease, stage: Stage) -> str:
    if stage is not Stage.STARTING or release.careful:
        return ""
    ends = until(return_ends(snapshot.situation, release), snapshot.now)
    return f"; at {ends} requests go to the pods that are ready, if any is"


def _patience(release: OpenRelease, stage: Stage) -> str:
    if release.kind == "Undo":
        return "none: a way back is never given up"
    if release.kind == "Install":
        return "none: there is no version to go back to, so it goes on trying"
    if stage is Stage.PROMOTING:
        return "none: people and windows decide"
    return (
        "none: requests are on the new version already" if release.accepted_at or stage >= Stage.SWITCHING else "none"
    )


def _resting(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    status = snapshot.status
    if status.phase == "Failed" and status.held_version:
        held = status.held_version
        yield "why", held.message
        yield "held", "the same spec is not tried again: a changed spec, or a new release.retry, ends that"
        yield from _held_details(snapshot, held.version)
    elif status.phase == "Blocked":
        yield "why", status.blocked_by
        yield "kept", ", ".join(snapshot.title(each.version) for each in snapshot.kept.values() if not each.retired)
    elif status.blocked_by:
        yield "unmet", status.blocked_by
    else:
        ready = next((each for each in status.conditions if each.type == "Ready"), None)
        if ready and ready.status != "True":
            yield "unmet", f"{status.readiness} pods are ready: {ready.message}"


def _held_details(snapshot: Snapshot, version: str) -> Iterator[tuple[str, str]]:
    if snapshot.observed is None:
        return
    for (whose, gate), view in snapshot.observed.gates.items():
        if whose == version and view.state is GateState.FAILED:
            yield (
                "gate",
                f"{gate}: failed {ago(view.finished or view.started, snapshot.now)}: {view.message or 'no message'}",
            )
    for (whose, kind), job in snapshot.observed.migrations.items():
        if whose == version and job.state is JobState.FAILED:
            yield "migration", f"{kind}: {job.message or 'failed'}"


def _meanwhile(snapshot: Snapshot) -> str:
    status = snapshot.status
    if status.phase == "Released" and not status.blocked_by:
        return ""
    if not status.active_version:
        return "" if status.release else "no version gets requests"
    consumers = f", consumers {status.consumers}" if status.consumers else ""
    return f"{snapshot.title(status.active_version)} gets all requests ({status.readiness} ready{consumers})"


def _pinned(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """A rollback stays until somebody ends it; what is pushed meanwhile is not released."""
    pinned, version = snapshot.desired.pinned, snapshot.desired.version
    if pinned and pinned != version and snapshot.status.phase != "Blocked":
        spec = snapshot.title(version)
        yield (
            "pinned",
            f"release.activeVersion names {snapshot.title(pinned)}; {spec} of the spec waits until it is removed",
        )


def _served_before(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """They get no request any more, and nothing else would ever say that they are there."""
    if snapshot.status.active_version:
        for each in snapshot.served_before:
            yield (
                "before",
                f"{each} served before: it is the way back when the Microservice is deleted; else scale it down",
            )


# --- what to do next
def _next(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    status, release, name = snapshot.status, snapshot.facts.release, snapshot.name
    if status.observed_generation < 0 or _overdue(snapshot):
        yield OPERATOR, "see whether the operator runs"
        return
    if status.suspended != "None":
        patch = """kubectl patch microservice {} -n {} --type merge -p '{{"spec":{{"suspend":"None"}}}}'"""
        yield patch.format(name, snapshot.namespace), "start what was stopped"
    if status.phase == "Suspended":
        return
    if status.phase == "Paused":
        yield snapshot.command(f"resume {name}"), "go on"
    elif release:
        yield from _next_in_release(snapshot, release)
    elif status.phase == "Failed" and status.held_version:
        yield snapshot.command(f"retry {name}"), f"try {snapshot.title(status.held_version.version)} once more"
        yield snapshot.command(f"history {name}"), "see what was released before"
    elif status.phase == "Blocked":
        yield snapshot.command(f"rollback {name} --to VERSION"), "name a version that is kept"
        yield snapshot.command(f"retry {name}"), "take the rollback back and release what the spec says"
    elif snapshot.desired.pinned and snapshot.desired.pinned != snapshot.desired.version:
        yield snapshot.command(f"retry {name}"), f"release {snapshot.title(snapshot.desired.version)} of the spec"


def _overdue(snapshot: Snapshot) -> bool:
    release = snapshot.facts.release
    if release is None or snapshot.status.phase in {"Paused", "Suspended"}:
        return False
    ends = fails_at(snapshot)
    return ends is not None and snapshot.now - ends > OVERDUE


def _next_in_release(snapshot: Snapshot, release: OpenRelease) -> Iterator[tuple[str, str]]:
    status, desired, name = snapshot.status, snapshot.desired, snapshot.name
    stage = Stage.of(status.step)
    stable = status.stable_version
    person = (release.plan or not desired.auto_promote) and not promoted(desired, snapshot.facts, release)
    if person and (stage is Stage.PROMOTING or (release.plan and stage is Stage.RECORDING)):
        yield snapshot.command(f"promote {name}"), f"let {snapshot.title(release.version)} take over"
    yield from _commands_of_children(snapshot, release, stage)
    if release.kind != "Undo" and not release.accepted_at and stable and stable != release.version:
        yield snapshot.command(f"abort {name}"), f"give it up and stay with {snapshot.title(stable)}"


def _commands_of_children(snapshot: Snapshot, release: OpenRelease, stage: Stage) -> Iterator[tuple[str, str]]:
    """Where the cause can be read."""
    flag = f"-n {snapshot.namespace}"
    if stage in {Stage.MIGRATING, Stage.CONTRACTING} and snapshot.observed:
        kind = "expand" if stage is Stage.MIGRATING else "contract"
        for (whose, each), job in snapshot.observed.migrations.items():
            if job.state is not JobState.SUCCEEDED and (whose == release.version) is (each == kind):
                yield (
                    f"kubectl logs job/{snapshot.name}-{whose}-{each}-{job.attempt} {flag}",
                    "read the migration's log",
                )
    waiting = [
        pod for pod in snapshot.pods if pod.version == release.version and not pod.ready and pod.state != "Ending"
    ]
    serving = [pod for pod in waiting if pod.component not in {"gate", "expand", "contract"}]
    if serving:
        pod = min(serving, key=lambda each: (each.state in {"Running", "Pending"}, each.name))
        verb = "logs" if pod.state in {"Running", "CrashLoopBackOff", "Error"} else "describe pod"
        yield f"kubectl {verb} {pod.name} {flag}", "see why this pod is not ready"
