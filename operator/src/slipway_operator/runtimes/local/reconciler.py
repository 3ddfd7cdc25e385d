"""One look at one service: what runs → the planner → what is wanted, written → the processes follow.

Everything is derived anew, and written before anything follows it: so ``slipway up`` may end anywhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events.kafka import Groups

from ...errors import LocalRuntimeError
from ...planning import Decision, plan
from ...planning.observed import JobState
from ...planning.status import facts_of, status_of
from ...spec.fields import CONSUMING
from ...spec.gates import Gate
from .contract_gate import Exports, compared, wanted
from .executing import applied, resumed
from .gate_checks import Checks, Promises
from .gateway import Endpoints
from .observing import Process, Seen, absorbed, desired, members_of, observed, wanted_endpoints
from .processes import Processes, utc_now
from .progress import Teller
from .state import DesiredRelease, Files, Migration, ServiceState
from .system import Service
from .versions import Version, Versions, working_tree

LOOK_AGAIN = timedelta(milliseconds=200)
AT_REST = timedelta(seconds=1)

Hosts = Callable[[], Mapping[str, Mapping[str, Sequence[int]]] | None]


class Reconciler:
    """``hosts`` asks Envoy. ``groups`` asks the broker; None: there is none to ask."""

    def __init__(
        self,
        service: Service,
        files: Files,
        *,
        processes: Processes,
        endpoints: Endpoints,
        hosts: Hosts,
        groups: Groups | None,
        teller: Teller,
        others: Callable[[], Mapping[str, Version]] = dict,
    ) -> None:
        """``others``: the versions of all other services that are active, or are to be the first."""
        self.service = service
        self._others = others
        self.processes = processes
        self._files = files
        self._versions = Versions(files.folder, service)
        self._endpoints = endpoints
        self._hosts = hosts
        self._groups = groups
        self._teller = teller
        self._checks = Checks()
        self._exports = Exports()
        self._consuming: set[str] = set()  # versions of which a consumer was alive at the last look
        self._begin()

    def _begin(self) -> None:
        """What a former run left: its desired release and its facts. Without any, the working tree is wanted."""
        self.status = self._files.status()
        self._known = self._versions.all()
        self.state = resumed(self._files.state(), self._known)
        self._desired_release = self._begin_desired_release(self._files.desired_release())
        if self._desired_release.pinned == self.state.active == working_tree(self.service).hash:
            self._versions.remember_working_tree()
        self._known = self._versions_of(self._desired_release)
        self._files.write_state(self.state)
        self._endpoints.write(self.service, wanted_endpoints(self.service, self.state, Seen()))
        self._next = utc_now()
        self._complete = False
        self._ready_versions: set[str] = set()
        self._returning = False  # from a stop of everything

    def _begin_desired_release(self, found: DesiredRelease | None) -> DesiredRelease:
        dev, held = working_tree(self.service).hash, self.status.held_version
        generation = found.generation + 1 if found else 1
        if found is None or found.version not in self._known:
            found = DesiredRelease(version=dev, generation=generation)
        elif held and held.version == found.version == dev:
            # Its files may have been mended since: a start is another try.
            found = found.model_copy(update={"retry": found.retry + 1, "generation": generation})
        self._files.write_desired_release(found)
        return found

    def migrate_working_tree(self) -> None:
        """Of a working tree that is active already: its files may have changed while nothing ran."""
        if self.state.active == working_tree(self.service).hash and self.desired_release.suspend != "All":
            self._migrate_active()

    def _begin_return(self) -> None:
        """What was stopped on purpose may find a restored database, so its migration comes before its processes. Begun
        again by a ``slipway up`` that ended in between, since the status says until then that all is stopped.
        """
        returns = self.status.suspended == "All" != self.desired_release.suspend
        if returns and not self._returning and self.desired_release.wanted == self.state.active:
            self._migrate_active()
        self._returning = returns

    def _held_down(self, state: ServiceState) -> DesiredRelease:
        """The desired release, with all stopped until the migration of what comes back has ended, however it ends."""
        running = {each.version for each in state.migrations if each.state is JobState.RUNNING}
        if self._returning and state.active in running:
            return self.desired_release.model_copy(update={"suspend": "All"})
        return self.desired_release

    def _migrate_active(self) -> None:
        """Its database may be older than it is: files were edited while nothing ran, or it was restored."""
        version = self.active_version
        if version and "migrate" in version.processes:
            others = [each for each in self.state.migrations if each.version != version.hash]
            again = Migration(version=version.hash, kind="expand", attempt=self.status.attempts)
            self._keep(self.state.model_copy(update={"migrations": (*others, again)}))

    def require_hope(self) -> None:
        """Raises LocalRuntimeError when a first version was given up: there is nothing that could answer."""
        held = self.status.held_version
        if held and self.state.active is None:
            raise LocalRuntimeError(f"{self.service.name} can't start: {held.message}")
        failed = [each for each in self.state.migrations if each.state.value == "Failed"]
        if failed and failed[0].version == self.state.active and self.status.release is None:
            raise LocalRuntimeError(f"{self.service.name} can't start: its migration failed: {failed[0].message}")

    # --- whether it is time
    def due(self, now: datetime) -> bool:
        return now >= self._next or self._desired_release_changed() or self.processes.somebody_fell()

    @property
    def rests(self) -> bool:
        """Nothing goes on, and nothing is missing."""
        over = self.status.release is None and self.status.phase in {"Released", "Failed", "Blocked"}
        stands_still = self.status.phase == "Suspended" and self.desired_release.suspend == "All"
        calm = over or stands_still
        return calm and self.status.observed_generation == self.desired_release.generation and self._complete

    @property
    def answers(self) -> bool:
        """The active version does; a release of another one may go on beside it."""
        release = self.status.release
        installing = release is not None and release.kind == "Install"
        return self.rests or (not installing and self.state.active in self._ready_versions)

    @property
    def desired_release(self) -> DesiredRelease:
        assert self._desired_release  # noqa: S101 # made at the beginning
        return self._desired_release

    def _desired_release_changed(self) -> bool:
        found = self._files.desired_release()
        if found is None or found == self._desired_release:
            return False
        self._desired_release, self._known = found, self._versions_of(found)
        return True

    def _versions_of(self, desired_release: DesiredRelease) -> dict[str, Version]:
        """By hash. The working tree is as it is now where it is what is released, and as it began where it is a way
        back: what was edited since is what somebody wants to leave. One that came back goes on from its copy, which is
        not taken away from under its processes.
        """
        known = self._versions.all()
        dev = working_tree(self.service).hash
        came_back = self.state.active == dev and self._known[dev] != known[dev]
        if desired_release.version == dev and not desired_release.pinned and not came_back:
            self._versions.remember_working_tree()
            return known
        return known | {dev: self._versions.as_it_began(known[dev])}

    # --- a look
    def reconcile(self) -> None:
        now = utc_now()
        self._desired_release_changed()
        desired_release, version = self.desired_release, self._known.get(self.desired_release.version)
        if version is None:
            raise LocalRuntimeError(
                f"{self.service.name}: the version {desired_release.version} that is wanted is gone"
            )
        self._begin_return()
        seen = self._look()
        state = absorbed(self.state, seen)
        saw = observed(self.service, state, self._known, facts_of(self.status), seen)
        made = plan(
            saw, desired(self.service, self._held_down(state), version, first=not self.status.stable_version), now
        )
        self._remember(made, now)
        for step in made.steps:
            state = applied(state, step, now)
        self._keep(state)
        self._follow(seen, now)
        busy = bool(made.steps) or not self.rests
        self._next = now + (LOOK_AGAIN if busy else AT_REST)

    def _look(self) -> Seen:
        processes = self.processes.look()
        releasing = self.status.release is not None
        hosts = self._hosts() if releasing or self.status.draining else None
        clients: Sequence[str] | None = None
        settled = broker = True
        alive = {each.version for each in processes if each.alive and each.component in CONSUMING}
        ended, self._consuming = self._consuming - alive, alive
        if (releasing or ended) and self._groups and any(version.consumes for version in self._known.values()):
            try:
                group = self._groups.describe(self.service.group)
                # One that was killed could not say so, and would keep its share of the events until its session ends.
                gone = members_of(self.service.name, group.members, self._known, ended)
                self._groups.remove(self.service.group, gone)
                if releasing:
                    clients, settled = [member.client_id for member in group.members], group.settled
            except BrokerUnavailable:
                broker = not releasing
        self._ready_versions = _ready_versions(self.state, processes)
        self._complete = all(version in self._ready_versions for version in self.state.versions)
        return Seen(
            processes=processes,
            hosts=hosts.get(self.service.name, {}) if hosts is not None else None,
            clients=clients,
            group_settled=settled,
            broker=broker,
            gates=self._checks.results(),
        )

    def _remember(self, made: Decision, now: datetime) -> None:
        """Facts are written before what they speak of is done."""
        after = status_of(made, self.status, selector="", generation=self.desired_release.generation, now=now)
        # Told first: who follows the journal goes when the status says that the release is over.
        self._teller.look(made.steps, self.status, after, self._known)
        if after != self.status:
            self._files.write_status(after)
            self.status = after

    def _keep(self, state: ServiceState) -> None:
        if state == self.state:
            return
        for version in state.forgotten:
            if version != self.desired_release.version:
                self._versions.forget(version)
        state = state.model_copy(update={"forgotten": ()})
        self._files.write_state(state)
        self.state = state

    def _follow(self, seen: Seen, now: datetime) -> None:
        """First requests, then processes: what is to end gets none any more when it is asked to."""
        self._endpoints.write(self.service, wanted_endpoints(self.service, self.state, seen))
        try:
            self.processes.follow(self.state, self._known, now)
        except LocalRuntimeError as error:  # no port is free: the next look tries again, until the deadline
            self._teller.trouble(str(error))
        gates = {gate.name: gate for gate in self.service.release.gates}
        self._begin_exports(gates.values())
        for run in self.state.gates:
            if run.finished is None and run.gate in gates:
                ports = {each.component: each.port for each in seen.processes if each.version == run.version}
                self._checks.ask(run, gates[run.gate], ports, self._promises(run.version))

    def _begin_exports(self, gates: Iterable[Gate]) -> None:
        release = self.status.release
        if release is None or self._exports.has_begun(release.attempt):
            return
        if release.kind == "Release" and any(gate.type == "contracts" for gate in gates):
            versions = (self._known.get(each) for each in (release.version, self.state.active or ""))
            there = [each for each in versions if each]
            self._exports.begin(release.attempt, wanted(self.service.name, there, self._others()))

    def _promises(self, candidate: str) -> Promises:
        active, new, others = self.active_version, self._known[candidate], self._others()
        return lambda allowed: compared(self._exports, self.service.name, active, new, others, allow_breaking=allowed)

    def close(self) -> None:
        self._checks.close()
        self._exports.close()

    # --- for others
    @property
    def active(self) -> str | None:
        return self.state.active

    @property
    def active_version(self) -> Version | None:
        return self._known.get(self.state.active or "")

    @property
    def first_version(self) -> Version | None:
        """The active one; before there is any, the one that is wanted."""
        return self.active_version or self._known.get(self._desired_release.version)


def _ready_versions(state: ServiceState, processes: Sequence[Process]) -> set[str]:
    """Those of which every process that is wanted is ready."""
    ready = {(each.version, each.component) for each in processes if each.alive and each.ready}
    return {
        version
        for version, kept in state.versions.items()
        if all((version, component) in ready for component, count in kept.wanted.items() if count)
    }
