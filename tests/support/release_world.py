"""A small pure Kubernetes with a consumer group, in which the planner's steps have effects and things go wrong.

Time moves in ticks. In a tick pods become ready (or never do), endpoints follow what was ready a tick before, members
join and leave the group, Jobs and gates end. Every step that is carried out is checked against the promises.
"""

import random
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from slipway_operator.planning import plan
from slipway_operator.planning import steps as s
from slipway_operator.planning.desired import Desired, GateSpec
from slipway_operator.planning.facts import Facts, Stage
from slipway_operator.planning.gating import first_started
from slipway_operator.planning.observed import (
    ANY,
    GateState,
    GateView,
    GroupView,
    JobState,
    JobView,
    Noted,
    Observed,
    Problem,
    VersionView,
)
from slipway_operator.spec.fields import CONSUMING, RELAYING
from support import release_promises, stopped_on_purpose
from support.world_pods import Pods

TICK = timedelta(seconds=15)
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Broken(AssertionError):
    """A promise was broken; the message has the story."""


@dataclass
class Version:
    revision: int
    serving: dict
    workers: dict
    draining: bool = False
    renewed: bool = False
    clients: bool = False  # some keep connections to its pods
    retired: str = ""
    recorded: bool = True
    noted: Noted = field(default_factory=Noted)


@dataclass
class Nature:
    """What a version is like; the planner finds out."""

    starts: bool = True
    consumes: bool = True
    relays: bool = True
    gate: GateState = GateState.PASSED
    watched: GateState = GateState.PASSED
    migrates: bool = True
    contracts: bool = True
    problem: Problem | None = None  # of one pod, however many others are ready
    workers: tuple | None = None  # None: those that its name says
    closes: bool = True  # kept-alive connections, when it is told
    crashing: tuple = ()  # components whose pods that are not ready are known to be in a crash loop

    def problems(self, view, now, *, failing):
        if failing:
            return (Problem("ImagePullBackOff", "image not found", START),)
        down = [c for c, pods in view.workers.items() if c in self.crashing and pods.wanted > pods.ready]
        crashes = [Problem("CrashLoopBackOff", f"{c} exits with 1", START, c) for c in down]
        return (*([self.problem] if self.problem else ()), *crashes)


# The last letter of a version's name says which workers it has.
WORKERS_OF = {"m": ("worker",), "r": ("relay",), "c": ("consumer",)}


def workers_of(version):
    if "w" in version:
        return ()
    found = re.fullmatch(r"v\d+([mrc])", version)
    return WORKERS_OF[found[1]] if found else ("consumer", "relay")


def having(view, components):
    return [pods for component, pods in view.workers.items() if component in components]


def version_desired(name, **changes):
    base = Desired(
        version=name,
        fingerprint=name,
        replicas=2,
        workers={"consumer": 1, "relay": 1},
        gates=(
            GateSpec("smoke", timeout=timedelta(seconds=60)),
            GateSpec("errors", after_promotion=True, timeout=timedelta(seconds=60)),
        ),
        progress_deadline=timedelta(seconds=90),
        migration_deadline=timedelta(seconds=120),
        history=2,
        expand=True,
    )
    return replace(base, **changes)


@dataclass
class World:
    desired: Desired = field(default_factory=lambda: version_desired("v1"))
    natures: dict = field(default_factory=dict)
    now: datetime = START
    facts: Facts = field(default_factory=Facts)
    versions: dict = field(default_factory=dict)
    active: str | None = None
    selected: str | None = None
    active_endpoints: dict = field(default_factory=dict)
    preview: str | None = None
    jobs: dict = field(default_factory=dict)
    gates: dict = field(default_factory=dict)
    members: dict = field(default_factory=dict)
    longest_wait: timedelta | None = None
    good: set = field(default_factory=set)  # versions that were released with success
    spent: tuple | None = None  # a promotion, and the version of which an attempt has failed with it
    planned: tuple | None = None  # what waits for the word of a plan: version and spec
    broker: bool = True
    settled: bool = True
    status_view: object = None
    requeue: object = None
    allowed: set = field(default_factory=set)
    left_behind: set = field(default_factory=set)  # stopped on purpose, and another version is wanted since
    lost: set = field(default_factory=set)  # versions whose record was deleted
    not_ours: str = ""
    story: list = field(default_factory=list)
    events: list = field(default_factory=list)

    # --- what is true
    def nature(self, version):
        if version not in self.natures:
            self.natures[version] = Nature()
        return self.natures[version]

    def ready(self, version):
        view = self.versions.get(version)
        return min((pods.ready for pods in view.serving.values()), default=0) if view else 0

    def endpoints(self, version):
        view = self.versions.get(version)
        return min((pods.endpoints for pods in view.serving.values()), default=0) if view else 0

    def reachable(self):  # ready pods that requests reach
        if self.active == ANY:
            return sum(self.endpoints(version) for version in self.versions)
        return self.endpoints(self.active)

    def consuming(self):
        """Versions that may process events now: a pod that is ending may as well."""
        return {name for name, view in self.versions.items() if any(pods.alive for pods in having(view, CONSUMING))}

    def sending(self):
        """Whether a relay is ready, of whatever version."""
        return any(pods.ready for view in self.versions.values() for pods in having(view, RELAYING))

    # --- what the planner sees
    def observe(self):
        return Observed(
            facts=self.facts,
            versions={name: self._view(name, view) for name, view in self.versions.items()},
            active=self.active,
            active_endpoints=dict(self.active_endpoints),
            preview=self.preview,
            migrations=dict(self.jobs),
            gates=dict(self.gates),
            group=GroupView(self.broker, dict(self.members), self.settled),
            not_ours=self.not_ours,
        )

    def _view(self, name, view):
        nature = self.nature(name)
        failing = not nature.starts and any(pods.wanted for pods in view.serving.values())
        return VersionView(
            version=name,
            revision=view.revision,
            label=name,
            serving={c: pods.view() for c, pods in view.serving.items()},
            workers={c: pods.view() for c, pods in view.workers.items()},
            problems=nature.problems(view, self.now, failing=failing),
            draining=view.draining,
            closes_connections=nature.closes,
            renewed=view.renewed,
            retired=view.retired,
            recorded=view.recorded,
            noted=view.noted,
        )

    # --- the operator
    def plan(self):
        return plan(self.observe(), self.desired, self.now)

    def round(self, *, killed_after=None, refused=()):
        """One look of the operator; it may be killed after so many effects, the first of which is the status.

        Steps of a kind that is refused have no effect, and the others go on.
        """
        made = self.plan()
        desired = self.desired
        if desired.directive.order == "Go" if desired.directive else release_promises.promoted(self):
            self.allowed.add(desired.version)
        self.allowed.add(desired.back_to)  # a person named it, or the plan that it belongs to
        if desired.paused and desired.suspend != "All":
            self.check_pause(made.steps)
        stopped_on_purpose.check(self, made.steps, written=killed_after != 0)
        if killed_after == 0:
            return made
        release_promises.check(self, made)
        self.facts, self.status_view, self.requeue = made.facts, made.status_view, made.requeue_after
        for done, step in enumerate(made.steps, start=1):
            if killed_after is not None and done >= killed_after:
                break
            if not isinstance(step, refused):
                self.carry_out(step)
        return made

    def carry_out(self, step):
        before = self.reachable() and not stopped_on_purpose.so(self)
        self.story.append(step)
        getattr(self, "_" + type(step).__name__)(step)
        if before and not self.reachable():
            self.fail(f"{step} left nobody behind the active Service")
        if self.desired.exclusive and len(self.consuming()) > 1:
            self.fail(f"{step}: consumers of {self.consuming()} run at once")

    def check_pause(self, steps):  # nothing else goes on
        for step in steps:
            sizes = isinstance(step, s.ScaleServing) and step.version == self.active and step.replicas
            again = isinstance(step, s.SwitchActive) and self.active is None
            if not (sizes or again or isinstance(step, (s.ScaleWorkers, s.Emit))):
                self.fail(f"{step} while paused")

    def check_permission(self, version):
        """What was never active needs its gates and, where people decide, a person."""
        release = self.facts.release
        release_promises.check_rollback(self, version)
        if version in {ANY, self.facts.stable} or release is None or release.kind in {"Rollback", "Undo"}:
            return
        gate = self.gates.get((version, "smoke"))
        again = self.desired.paused and release.promoted_at  # its Service was deleted
        if again or any(each.dry_run for each in self.desired.gates):
            return
        # A spec that is edited while pods are replaced one by one asks no gate again: requests are there already.
        stale = gate and gate.attempt != release.attempt and self.active != ANY
        if self.active == ANY and version in self.lost:  # nor does one whose results were deleted meanwhile
            return
        asked = any(not each.after_promotion for each in self.desired.gates)
        if asked and (gate is None or gate.state is not GateState.PASSED or stale):
            self.fail(f"{version} becomes active without its gate: {gate}")
        if release.kind == "Release" and version not in self.allowed:
            self.fail(f"{version} becomes active and nobody promoted it")

    def check_way_back(self, version):
        """While a plan is open, its service can be sent back."""
        directive = self.desired.directive
        if directive and directive.open and version == directive.came_from:
            self.fail(f"{version} goes, and plan {directive.plan} may need it")

    def fail(self, why):
        lines = "\n".join(str(each) for each in self.story[-60:])
        raise Broken(f"{why}\n{lines}\n{self.facts}\n{self.versions}")

    def _RecordVersion(self, step):
        if step.version in self.versions:  # it runs, and its record was deleted
            assert not self.versions[step.version].recorded
            self.versions[step.version].recorded = True
            return
        serving = {"http": Pods(), "grpc": Pods()} if "g" in step.version else {"http": Pods()}
        known = self.nature(step.version).workers
        workers = {name: Pods() for name in (workers_of(step.version) if known is None else known)}
        self.versions[step.version] = Version(step.revision, serving, workers)

    def _StartMigration(self, step):
        running = [key for key, job in self.jobs.items() if job.state is JobState.RUNNING]
        if any(key != (step.version, step.kind) for key in running):
            self.fail("two migrations at once")
        self.jobs[step.version, step.kind] = JobView(JobState.RUNNING, step.attempt)

    def _ScaleServing(self, step):
        # While Service and slices disagree, proxies still send requests to the former version.
        if not step.replicas and self.active_endpoints.get(step.version) and not stopped_on_purpose.so(self):
            self.fail(f"{step} while requests still reach it")
        self.versions[step.version].serving[step.component].scale(step.replicas)

    def _ScaleWorkers(self, step):
        pods, sending = self.versions[step.version].workers[step.component], self.sending()
        if step.component in CONSUMING and step.replicas and self.desired.exclusive:
            foreign = {name for name, count in self.members.items() if count and name != step.version}
            if foreign and self.broker and not pods.wanted:
                self.fail(f"consumers of {step.version} join beside members of {foreign}")
        pods.scale(step.replicas)
        if sending and not self.sending():
            self.check_silence(step)

    def check_silence(self, step):
        """No relay is ready any more. So it may be from worker to worker, where nothing is to be sent, and where the
        way back has waited long enough for a relay.
        """
        release = self.facts.release
        waited = release and self.now >= release.since + self.desired.progress_deadline
        # A candidate whose workers run by mistake (facts were lost) must not consume before it is handed anything.
        too_early = release and release.version == step.version and release.reached < Stage.HANDING_OVER
        if waited and (not release.careful or too_early):
            return
        moved = release and release.careful and release.reached >= Stage.HANDING_OVER
        owner = self.versions.get(release.version if moved else self.active or self.facts.stable)
        if self.desired.suspend != "None" or stopped_on_purpose.so(self) or self.active == self.facts.stopped_version:
            return
        if self.desired.paused or owner is None or owner is self.versions[step.version]:
            return
        if "relay" in owner.workers or (step.component == "relay" and "worker" in owner.workers):
            self.fail(f"{step} left nobody who sends")

    def _SelectPreview(self, step):
        if step.version is not None and not self.endpoints(step.version):
            self.fail("the preview Service is given a version that is not ready")
        self.preview = step.version

    def _RunGate(self, step):
        first = first_started(self.gates.get((step.version, step.gate)), step.attempt, self.now)
        self.gates[step.version, step.gate] = GateView(GateState.RUNNING, step.attempt, step.run, self.now, first)

    def _SwitchActive(self, step):
        if step.version != ANY and not self.endpoints(step.version):
            self.fail("the active Service is given a version that is not ready")
        self.check_permission(step.version)
        self.active = step.version

    def _MarkDraining(self, step):
        if step.version == self.active:
            self.fail("the active version is told to drain")
        view = self.versions[step.version]
        view.draining, view.clients = True, view.clients and not self.nature(step.version).closes

    def _UnmarkDraining(self, step):
        self.versions[step.version].draining = self.versions[step.version].renewed = False

    def _RenewPods(self, step):
        view = self.versions[step.version]
        if step.version in {self.active, self.selected} or not self.reachable():
            self.fail("pods that are needed are replaced")
        if view.renewed or not any(pods.wanted for pods in view.serving.values()):
            self.fail("pods are replaced twice, or where there are none")
        view.draining, view.renewed, view.clients = False, True, False  # the new ones have no mark

    def _RetireVersion(self, step):
        if step.version == self.active:
            self.fail("the active version is retired")
        self.check_way_back(step.version)
        self.versions[step.version].retired = step.because

    def _NoteActivity(self, step):
        if step.noted == self.versions[step.version].noted:
            self.fail(f"{step} changes nothing")
        self.versions[step.version].noted = step.noted

    def _ForgetVersion(self, step):
        if any(p.alive for p in self.versions[step.version].serving.values()):
            self.fail("a running version is forgotten")
        self.check_way_back(step.version)
        del self.versions[step.version]
        for each in (self.jobs, self.gates):
            for key in [key for key in each if key[0] == step.version]:
                del each[key]

    def _Emit(self, step):
        self.events.append(step)

    # --- time
    def tick(self, count=1):
        for _ in range(count):
            self._tick()

    def _tick(self):
        """Whether anything moved."""
        self.now += TICK
        before = (self.active_endpoints, self.members, self.selected)
        moved = False
        # Slices follow the selector a tick later than the selector is written.
        matched = self.versions if self.selected == ANY else {self.selected} & set(self.versions)
        self.selected = self.active
        for name, view in self.versions.items():
            nature = self.nature(name)
            view.clients |= name in matched
            for pods in view.serving.values():
                moved |= pods.tick(works=nature.starts)
            for component, pods in view.workers.items():
                works = (nature.consumes or component not in CONSUMING) and (nature.relays or component != "relay")
                moved |= pods.tick(works=works)
        self.active_endpoints = {name: count for name in matched if (count := self.endpoints(name))}
        self.members = {
            name: count
            for name, view in self.versions.items()
            if (count := sum(pods.ready for pods in having(view, CONSUMING)))
        }
        for key, job in self.jobs.items():
            if job.state is JobState.RUNNING:
                nature = self.nature(key[0])
                good = nature.migrates if key[1] == "expand" else nature.contracts
                moved = True
                self.jobs[key] = replace(job, state=JobState.SUCCEEDED if good else JobState.FAILED)
        for (name, gate), view in self.gates.items():
            if view.state is GateState.RUNNING:
                result = self.nature(name).watched if gate == "errors" else self.nature(name).gate
                finished = None if result is GateState.RUNNING else self.now
                moved |= finished is not None
                self.gates[name, gate] = replace(view, state=result, finished=finished)
        return moved or before != (self.active_endpoints, self.members, self.selected)

    # --- until nothing happens any more and no timer is set; returned is how many looks it took
    def settle(self, limit=120):
        for count in range(limit):
            facts = self.facts
            made = self.round()
            moved = self._tick()
            if moved or made.steps or made.facts != facts:
                continue
            if made.requeue_after is None:
                return count
            self.now += max(timedelta(), made.requeue_after - TICK)  # nothing can happen before
        self.fail(f"it does not come to rest: {self.status_view}, {made.steps}, {made.requeue_after}")
        return limit

    def release(self, name, nature=None, **changes):
        if nature:
            self.natures[name] = nature
        if name != self.desired.version:
            self.allowed.discard(name)
        changes = {"fingerprint": name, "promote": None, "promoted_as": "", "pinned": None, **changes}
        self.desired = replace(self.desired, version=name, **changes)
        self.story.append(f"--- {name} is wanted: {changes} {self.nature(name)}")


def running(version="v1", **changes):
    """A world in which a version was released and nothing is going on."""
    world = World(desired=version_desired(version, **changes))
    world.settle()
    assert world.active == version
    return world


def told(world, *kinds):
    """Steps of these kinds that were carried out."""
    return [step for step in world.story if isinstance(step, kinds)]


def until(world, reached, limit=60):
    """The operator works until something is so."""
    for _ in range(limit):
        if reached():
            return
        world.round()
        world.tick()
    raise AssertionError(f"never reached: {world.status_view}")


def condition(world, kind):
    """Status of that condition, or None."""
    found = [each for each in world.status_view.conditions if each.type == kind]
    return found[0].status if found else None


def random_nature(random_: random.Random):
    chance = random_.random
    states = [GateState.FAILED, GateState.INCONCLUSIVE, GateState.RUNNING]
    return Nature(
        starts=chance() > 0.15,
        consumes=chance() > 0.1,
        gate=random_.choice(states) if chance() < 0.15 else GateState.PASSED,
        watched=random_.choice(states) if chance() < 0.15 else GateState.PASSED,
        migrates=chance() > 0.1,
        contracts=chance() > 0.1,
        closes=chance() > 0.3,
    )
