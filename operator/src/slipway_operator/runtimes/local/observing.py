"""From what is wanted and what runs to what the planner sees. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from slipway_chassis.events.kafka.groups import Member

from ...planning.desired import Desired, GateSpec
from ...planning.facts import Facts
from ...planning.observed import (
    GateView,
    GroupView,
    JobState,
    JobView,
    Observed,
    Problem,
    VersionView,
    Workload,
)
from ...spec.fields import SERVING
from ...spec.gates import Gate
from ...spec.hashing import digest
from .state import DesiredRelease, GateRun, Kept, Migration, ServiceState
from .system import Service
from .versions import Version

MIGRATIONS = ("expand", "contract")


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one version, running or on its way. ``ended``: its exit code, for migrations."""

    version: str
    component: str
    pid: int
    port: int = 0  # where it answers requests; 0: it answers none
    admin: int = 0  # where its health and metrics are; 0: nowhere
    alive: bool = True
    ready: bool = False
    ending: bool = False
    ended: int | None = None
    said: str = ""  # its last words
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the machine. ``hosts``: ports that Envoy sends requests to, by name of the endpoints; None: Envoy
    does not answer, and will read its files when it comes back. ``clients``: members of the group; None: not asked.
    """

    processes: Sequence[Process] = ()
    hosts: Mapping[str, Sequence[int]] | None = None
    clients: Sequence[str] | None = None
    group_settled: bool = True
    broker: bool = True
    gates: Sequence[GateRun] = field(default=())  # results that came in since


def absorbed(state: ServiceState, seen: Seen) -> ServiceState:
    """What ended by itself, kept: migrations and gates."""
    migrations = tuple(_migration(each, seen) for each in state.migrations)
    results = {(each.version, each.gate, each.attempt, each.run): each for each in seen.gates}
    gates = tuple(results.get((each.version, each.gate, each.attempt, each.run), each) for each in state.gates)
    return state.model_copy(update={"migrations": migrations, "gates": gates})


def _migration(job: Migration, seen: Seen) -> Migration:
    if job.state is not JobState.RUNNING:
        return job
    for process in seen.processes:
        if (process.version, process.component) == (job.version, job.kind) and process.ended is not None:
            good = process.ended == 0
            said = "" if good else f"it ended with {process.ended}: {process.said}"
            return job.model_copy(
                update={"state": JobState.SUCCEEDED if good else JobState.FAILED, "message": said[:500]}
            )
    return job


def observed(
    service: Service, state: ServiceState, versions: Mapping[str, Version], facts: Facts, seen: Seen
) -> Observed:
    ports = {process.port: process.version for process in seen.processes if process.port}
    return Observed(
        facts=facts,
        versions={
            version: _view(versions[version], kept, seen)
            for version, kept in state.versions.items()
            if version in versions
        },
        active=state.active,
        active_endpoints=_behind(service, state, seen, ports),
        preview=state.preview,
        migrations={(each.version, each.kind): JobView(each.state, each.attempt, each.message)
                    for each in state.migrations},
        gates={(each.version, each.gate): gate_view(each) for each in state.gates},
        group=_group(service, versions, seen),
    )  # fmt: skip


def gate_view(run: GateRun) -> GateView:
    return GateView(run.state, run.attempt, run.run, run.started, run.first_started, run.finished, run.message)


def _view(version: Version, kept: Kept, seen: Seen) -> VersionView:
    mine = [process for process in seen.processes if process.version == version.hash]
    return VersionView(
        version=version.hash,
        revision=kept.revision,
        label=version.label,
        serving={name: _workload(name, kept, mine) for name in version.serving},
        workers={name: _workload(name, kept, mine) for name in version.workers},
        problems=tuple(_problems(version, mine)),
        draining=kept.draining,
        retired=kept.retired,
        noted=kept.noted,
    )


def _workload(component: str, kept: Kept, mine: Sequence[Process]) -> Workload:
    there = [process for process in mine if process.component == component]
    ready = sum(process.alive and process.ready and not process.ending for process in there)
    return Workload(
        wanted=kept.wanted.get(component, 0),
        pods=sum(process.alive for process in there),
        ready=ready,
        endpoints=ready if component in SERVING else 0,
    )


def _problems(version: Version, mine: Sequence[Process]) -> Iterator[Problem]:
    """The oldest of each component."""
    for component in (*version.serving, *version.workers):
        failing = [(each.failing_since, each) for each in mine if each.failing_since and each.component == component]
        if failing:
            since, first = min(failing, key=lambda each: each[0])
            said = f"{component} of {version.label} ends again and again: {first.said}"
            yield Problem("CrashLoop", said[:500], since, component)


def _behind(
    service: Service, state: ServiceState, seen: Seen, ports: Mapping[int, str]
) -> dict[str, int]:  # fmt: skip
    hosts = seen.hosts if seen.hosts is not None else wanted_endpoints(service, state, seen)
    counts: dict[str, int] = {}
    for port in {port for name in hosts for port in hosts[name]}:
        version = ports.get(port, "?")  # a process that is gone: it must not count for any version
        counts[version] = counts.get(version, 0) + 1
    return {version: count for version, count in counts.items() if version != "?"}


def wanted_endpoints(service: Service, state: ServiceState, seen: Seen) -> dict[str, list[int]]:
    """The ports behind each address of the service: those of the active version's processes that are ready."""
    return {
        component: sorted(
            process.port
            for process in seen.processes
            if process.component == component
            and process.version == state.active
            and process.alive
            and process.ready
            and not process.ending
        )
        for component in service.processes
        if component in SERVING
    }


def _group(service: Service, versions: Mapping[str, Version], seen: Seen) -> GroupView | None:
    """None: nobody asked, and processes that are gone have to be enough."""
    if seen.clients is None and seen.broker:
        return None
    members: dict[str, int] = {}
    for client in seen.clients or ():
        version = member_of(service.name, client, versions)
        members[version] = members.get(version, 0) + 1
    return GroupView(known=seen.broker, members=members, settled=seen.group_settled)


def members_of(
    group: str, members: Iterable[Member], versions: Mapping[str, Version], whose: Collection[str]
) -> list[Member]:
    return [each for each in members if member_of(group, each.client_id, versions) in whose]


def member_of(group: str, client: str, versions: Mapping[str, Version]) -> str:
    """Whose member it is, by its client id, which begins with group and version; "": nobody's that is known."""
    begins = [
        (version.label, version.hash)
        for version in versions.values()
        if client.startswith(f"{group}-consumer-{version.label}-")
    ]
    return max(begins, key=lambda each: len(each[0]), default=("", ""))[1]


def desired(service: Service, desired_release: DesiredRelease, version: Version, *, first: bool) -> Desired:
    """``first``: nothing was released before, so that there is nothing to watch it against."""
    how = service.release
    wanted = {"version": desired_release.version, "retry": desired_release.retry}
    return Desired(
        version=desired_release.version,
        # A setting that a later release adds is no reason for another try.
        fingerprint=digest(wanted | {"how": how.model_dump(mode="json", exclude_defaults=True)}),
        former_fingerprint=digest(wanted | {"how": how.model_dump(mode="json")}),
        generation=desired_release.generation,
        workers=dict.fromkeys(version.workers, 1),
        auto_promote=how.auto_promote,
        scale_down_delay=_seconds(how.scale_down_delay_seconds),
        progress_deadline=_seconds(how.progress_deadline_seconds),
        exclusive=how.handover == "Exclusive",
        gates=tuple(_desired_release(gate) for gate in how.gates),
        watch=_seconds(0 if first else how.watch_seconds),
        expand="migrate" in version.processes,
        contract="contract" in version.processes,
        history=how.history,
        promote=desired_release.promote,
        pinned=desired_release.pinned,
        suspend=desired_release.suspend,
    )


def _desired_release(gate: Gate) -> GateSpec:
    return GateSpec(
        name=gate.name,
        after_promotion=gate.phase == "afterPromotion",
        dry_run=gate.dry_run,
        timeout=_seconds(gate.timeout_seconds),
        interval=_seconds(gate.interval_seconds),
    )


def _seconds(count: int) -> timedelta:
    return timedelta(seconds=count)
