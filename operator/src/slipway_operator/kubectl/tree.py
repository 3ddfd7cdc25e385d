"""A service as a tree: versions with their processes and pods, migrations, gates, and the handover. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ..planning.desired import GateSpec
from ..planning.facts import Stage
from ..planning.observed import GateState, GateView, JobState, JobView, VersionView, Workload
from ..spec.fields import SERVING
from .snapshot import Pod, Snapshot
from .text import clean, plural, span, until

PODS_SHOWN = 8


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"
    MOVING = "moving"
    QUIET = "quiet"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Node:
    text: str
    mood: Mood = Mood.PLAIN
    children: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    branch: str  # what is drawn before it
    text: str
    mood: Mood


@dataclass(frozen=True, slots=True)
class Drawing:
    """Parts of the branches, and a mark for each mood: told apart without colours too."""

    tee: str = "├── "
    corner: str = "└── "
    bar: str = "│   "
    gap: str = "    "
    marks: dict[Mood, str] = field(
        default_factory=lambda: {Mood.GOOD: "✔ ", Mood.BAD: "✖ ", Mood.MOVING: "◌ ", Mood.QUIET: "· ", Mood.PLAIN: ""}
    )


_ASCII_MARKS = {Mood.GOOD: "+ ", Mood.BAD: "x ", Mood.MOVING: "~ ", Mood.QUIET: "- ", Mood.PLAIN: ""}
ASCII = Drawing("|-- ", "`-- ", "|   ", "    ", _ASCII_MARKS)
UNICODE = Drawing()

_PHASES = {
    "Released": Mood.GOOD, "Failed": Mood.BAD, "Blocked": Mood.BAD, "Paused": Mood.QUIET, "Suspended": Mood.QUIET,
    "Waiting": Mood.QUIET,
}  # fmt: skip


def lines(node: Node, drawing: Drawing = UNICODE) -> list[Line]:
    return list(_drawn(node, drawing, "", ""))


def _drawn(node: Node, drawing: Drawing, first: str, rest: str) -> Iterator[Line]:
    text = clean(node.text)
    if drawing is ASCII:
        text = text.replace("·", "-").encode("ascii", "replace").decode()
    yield Line(first, drawing.marks[node.mood] + text, node.mood)
    for child in node.children:
        last = child is node.children[-1]
        branch, below = (drawing.corner, drawing.gap) if last else (drawing.tee, drawing.bar)
        yield from _drawn(child, drawing, rest + branch, rest + below)


def tree(snapshot: Snapshot) -> Node:
    status = snapshot.status
    phase = status.phase if status.observed_generation >= 0 else "not looked at yet"
    words = [f"{snapshot.name} in {snapshot.namespace}", phase, status.step]
    if status.release:
        words.append(f"for {span(snapshot.now - status.release.since)}")
    words.append(f"{status.readiness} ready" if status.readiness else "")
    children = [*_notes(snapshot), *_versions(snapshot), *_handover(snapshot), *_old(snapshot)]
    text = " · ".join(word for word in words if word)
    return Node(text, _PHASES.get(status.phase, Mood.MOVING), tuple(children))


def _notes(snapshot: Snapshot) -> Iterator[Node]:
    if not snapshot.seen:
        yield Node("the operator has not looked at the latest change yet", Mood.MOVING)
    held = snapshot.status.held_version
    said = f"{held.reason}: {held.message}" if snapshot.status.phase == "Failed" and held else snapshot.unmet
    if said:
        mood = _PHASES.get(snapshot.status.phase, Mood.MOVING)
        yield Node(said, mood if mood is not Mood.GOOD else Mood.MOVING)
    if snapshot.hidden:
        yield Node(f"you may not list {', '.join(snapshot.hidden)}: what runs is not shown", Mood.QUIET)


# --- versions
def _versions(snapshot: Snapshot) -> Iterator[Node]:
    observed = snapshot.observed
    named = [snapshot.status.candidate_version, snapshot.status.active_version, snapshot.status.stable_version]
    shown = list(dict.fromkeys(version for version in named if version))
    if observed is None:
        for version in shown:
            yield Node(_heading(snapshot, version), Mood.PLAIN)
        return
    running = [view.version for view in observed.versions.values() if _runs(view)]
    for version in dict.fromkeys([*shown, *reversed(running)]):
        view = observed.versions.get(version)
        if view is None:
            yield Node(f"{_heading(snapshot, version)}: its record does not exist yet", Mood.MOVING)
        else:
            yield Node(_heading(snapshot, version), Mood.PLAIN, tuple(_parts(snapshot, view)))


def _runs(view: VersionView) -> bool:
    return any(each.wanted or each.pods for each in [*view.serving.values(), *view.workers.values()])


def _heading(snapshot: Snapshot, version: str) -> str:
    status = snapshot.status
    held = status.held_version.version if status.held_version else ""
    roles = {
        "active": status.active_version, "candidate": status.candidate_version,
        "preview": status.preview_version, "held": held,
    }  # fmt: skip
    words = [role for role, whose in roles.items() if whose == version]
    if status.stable_version == version != status.active_version:
        words.append("stable")
    view = snapshot.observed.versions.get(version) if snapshot.observed else None
    if view and view.draining:
        words.append("draining")
    draining = next((each.since for each in status.draining if each.version == version), None)
    if draining:
        words.append(f"scaled down at {until(draining + snapshot.desired.scale_down_delay, snapshot.now)}")
    return f"{snapshot.title(version)}  {', '.join(words)}".rstrip()


def _parts(snapshot: Snapshot, view: VersionView) -> Iterator[Node]:
    for component, workload in [*view.serving.items(), *view.workers.items()]:
        yield from _component(snapshot, view, component, workload)
    yield from _migrations(snapshot, view.version)
    yield from _gates(snapshot, view.version)


def _component(snapshot: Snapshot, view: VersionView, component: str, workload: Workload) -> Iterator[Node]:
    pods = [pod for pod in snapshot.pods if pod.version == view.version and pod.component == component]
    if not workload.wanted and not workload.pods:
        waits = view.version == snapshot.status.candidate_version and component not in SERVING
        yield Node(f"{component}  {'not started before the handover' if waits else 'none'}", Mood.QUIET)
        return
    ready = min(workload.ready, workload.endpoints) if component in SERVING else workload.ready
    said = f"{component}  {ready} of {workload.wanted} ready"
    ending = sum(1 for pod in pods if pod.state == "Ending")
    said += f", {ending} ending" if ending else ""
    if workload.ready > ready:
        said += f", {workload.ready - ready} not yet behind its Service"
    troubled = bool(view.problems) and any(_hopeless(pod) for pod in pods)
    mood = Mood.GOOD if ready >= workload.wanted and not ending else (Mood.BAD if troubled else Mood.MOVING)
    yield Node(said, mood, tuple(_pods(pods, snapshot)))


def _hopeless(pod: Pod) -> bool:
    return pod.state not in {"Running", "Pending", "Ending", "Succeeded"} and not pod.ready


def _pods(pods: Sequence[Pod], snapshot: Snapshot) -> Iterator[Node]:
    """The unready ones first: there is room for a few."""
    ordered = sorted(pods, key=lambda pod: (pod.ready, pod.name))
    for pod in ordered[:PODS_SHOWN]:
        mood = Mood.GOOD if pod.ready else (Mood.BAD if _hopeless(pod) else Mood.MOVING)
        state = pod.state if pod.ready or pod.state != "Running" else "Running, not ready"
        yield Node(f"{state}  {span(snapshot.now - pod.since)}  {pod.name}", mood)
    if len(ordered) > PODS_SHOWN:
        yield Node(f"and {plural(len(ordered) - PODS_SHOWN, 'more pod')}", Mood.QUIET)


_JOBS = {JobState.RUNNING: Mood.MOVING, JobState.SUCCEEDED: Mood.GOOD, JobState.FAILED: Mood.BAD}


def _migrations(snapshot: Snapshot, version: str) -> Iterator[Node]:
    if snapshot.observed is None or not _interesting(snapshot, version):
        return
    for (whose, kind), job in snapshot.observed.migrations.items():
        if whose == version:
            yield Node(f"{kind} migration  {_job(job)}", _JOBS[job.state])


def _job(job: JobView) -> str:
    said = f": {job.message}" if job.message else ""
    return f"{job.state.value.lower()}{f' (try {job.attempt})' if job.attempt > 1 else ''}{said}"


def _interesting(snapshot: Snapshot, version: str) -> bool:
    """What was checked before counts until a release has ended, and where it ended badly."""
    status = snapshot.status
    held = status.held_version.version if status.held_version else ""
    return version in {status.release.version if status.release else "", held}


_GATES = {
    GateState.PASSED: Mood.GOOD, GateState.FAILED: Mood.BAD, GateState.RUNNING: Mood.MOVING,
    GateState.INCONCLUSIVE: Mood.MOVING,
}  # fmt: skip


def _gates(snapshot: Snapshot, version: str) -> Iterator[Node]:
    release, held = snapshot.status.release, snapshot.status.held_version
    if snapshot.observed is None or not _interesting(snapshot, version) or (release and release.kind == "Rollback"):
        return
    for gate in snapshot.desired.gates:
        view = snapshot.observed.gates.get((version, gate.name))
        if view and release and release.version == version and view.attempt != release.attempt:
            view = None
        if view is None and held and held.version == version:
            continue
        yield _gate(gate, view)


def _gate(gate: GateSpec, view: GateView | None) -> Node:
    when = "while it is watched" if gate.after_promotion else "before promotion"
    dry = ", dry run: decides nothing" if gate.dry_run else ""
    if view is None:
        return Node(f"gate {gate.name}  not asked yet ({when}{dry})", Mood.QUIET)
    word = {GateState.RUNNING: "is running", GateState.INCONCLUSIVE: "has no data"}.get(
        view.state, view.state.value.lower()
    )
    tries = f", try {view.run}" if view.run > 1 else ""
    said = f": {view.message}" if view.message and view.state is not GateState.PASSED else ""
    mood = Mood.QUIET if gate.dry_run and view.state is GateState.FAILED else _GATES[view.state]
    return Node(f"gate {gate.name}  {word} ({when}{tries}{dry}){said}", mood)


# --- the rest
def _handover(snapshot: Snapshot) -> Iterator[Node]:
    """Who consumes, and how far the consumers are; nothing for a service without."""
    status, observed = snapshot.status, snapshot.observed
    condition = next((each for each in status.conditions if each.type == "ConsumersHandedOver"), None)
    if condition is None and not status.consumers:
        return
    release = status.release
    words = [f"consumers  {status.consumers or 'none is running'}"]
    mood = Mood.GOOD if status.consumers else Mood.MOVING
    if release and release.handover_started:
        ended = release.handover_ended or snapshot.now
        pause = span(ended - release.handover_started)
        words.append(f"no consumer for {pause}" + ("" if release.handover_ended else " so far"))
    elif release and Stage.of(release.reached) < Stage.HANDING_OVER and release.kind == "Release":
        words.append("the handover comes after the promotion")
    if condition and condition.status != "True" and condition.message:
        words.append(condition.message)
        mood = Mood.MOVING
    if observed and not any(view.consumer for view in observed.versions.values()):
        return
    yield Node(": ".join([words[0], ", ".join(words[1:])]) if words[1:] else words[0], mood)


def _old(snapshot: Snapshot) -> Iterator[Node]:
    """Versions that do not run, newest first."""
    status = snapshot.status
    shown = {status.active_version, status.candidate_version, status.stable_version}
    if snapshot.observed:
        shown |= {view.version for view in snapshot.observed.versions.values() if _runs(view)}
    newest = sorted(snapshot.kept.values(), key=lambda each: -each.revision)
    left = [each for each in newest if each.version not in shown]
    held = status.held_version.version if status.held_version else ""
    good = [snapshot.title(each.version) for each in left if not each.retired and each.version != held]
    if held in {each.version for each in left} and status.held_version:
        text = f"{snapshot.title(held)}  held for {span(snapshot.now - status.held_version.at)}"
        yield Node(text, Mood.BAD, (*_migrations(snapshot, held), *_gates(snapshot, held)))
    if good:
        yield Node(f"kept for a rollback: {', '.join(good)}", Mood.QUIET)
    retired = [snapshot.title(each.version) for each in left if each.retired]
    if retired:
        yield Node(f"can't come back: {', '.join(retired)}", Mood.QUIET)
