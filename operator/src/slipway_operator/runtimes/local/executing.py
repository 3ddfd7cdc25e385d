"""The steps of a plan, as changes of what is wanted. Pure: processes, endpoints and marks follow what is written."""

from collections.abc import Mapping
from datetime import datetime

from ...planning import steps as s
from ...planning.gating import first_started
from ...planning.observed import ANY, GateState, JobState
from .observing import gate_view
from .state import GateRun, Kept, Migration, ServiceState
from .versions import Version


def applied(state: ServiceState, step: s.Step, now: datetime) -> ServiceState:  # noqa: C901, PLR0911, PLR0912 # one line for each step
    match step:
        case s.RecordVersion():
            kept = state.versions.get(step.version) or Kept(revision=step.revision)
            return _with(state, step.version, kept)
        case s.StartMigration():
            others = [each for each in state.migrations if (each.version, each.kind) != (step.version, step.kind)]
            begun = Migration(version=step.version, kind=step.kind, attempt=step.attempt)
            return state.model_copy(update={"migrations": (*others, begun)})
        case s.ScaleServing() | s.ScaleWorkers():
            kept = state.versions[step.version]
            wanted = {**kept.wanted, step.component: step.replicas}
            return _with(state, step.version, kept.model_copy(update={"wanted": wanted}))
        case s.SelectPreview():
            return state.model_copy(update={"preview": step.version})
        case s.RunGate():
            return _gate(state, step, now)
        case s.SwitchActive():
            if step.version == ANY:
                raise ValueError("on one machine all requests move at once")
            return state.model_copy(update={"active": step.version})
        case s.MarkDraining() | s.UnmarkDraining():
            marked = {"draining": isinstance(step, s.MarkDraining)}
            return _with(state, step.version, state.versions[step.version].model_copy(update=marked))
        case s.RenewPods():
            raise ValueError("processes on one machine close connections when they are told")
        case s.RetireVersion():
            retired = state.versions[step.version].model_copy(update={"retired": step.because})
            return _with(state, step.version, retired)
        case s.NoteActivity():
            return _with(state, step.version, state.versions[step.version].model_copy(update={"noted": step.noted}))
        case s.ForgetVersion():
            return _forgotten(state, step.version)
        case s.Emit():
            return state


def _with(state: ServiceState, version: str, kept: Kept) -> ServiceState:
    return state.model_copy(update={"versions": {**state.versions, version: kept}})


def _gate(state: ServiceState, step: s.RunGate, now: datetime) -> ServiceState:
    """The results of earlier runs go; when the first one of this attempt began is kept."""
    former = [each for each in state.gates if (each.version, each.gate) == (step.version, step.gate)]
    first = first_started(gate_view(former[-1]) if former else None, step.attempt, now)
    begun = GateRun(
        version=step.version, gate=step.gate, attempt=step.attempt, run=step.run, started=now, first_started=first
    )
    others = [each for each in state.gates if each not in former]
    return state.model_copy(update={"gates": (*others, begun)})


def _forgotten(state: ServiceState, version: str) -> ServiceState:
    return state.model_copy(
        update={
            "versions": {name: kept for name, kept in state.versions.items() if name != version},
            "migrations": tuple(each for each in state.migrations if each.version != version),
            "gates": tuple(each for each in state.gates if each.version != version),
            "forgotten": (*state.forgotten, version),
        }
    )


def resumed(state: ServiceState, versions: Mapping[str, Version]) -> ServiceState:
    """After a stop, however it came: what was under way is begun again, since migrations and gates can be repeated.
    Processes that the working tree does not have any more are not wanted any more.
    """
    return state.model_copy(
        update={
            "versions": {name: _without_gone(kept, versions.get(name)) for name, kept in state.versions.items()},
            "migrations": tuple(each for each in state.migrations if each.state is not JobState.RUNNING),
            "gates": tuple(each for each in state.gates if each.state is not GateState.RUNNING),
        }
    )


def _without_gone(kept: Kept, version: Version | None) -> Kept:
    processes = version.processes if version else ()
    return kept.model_copy(update={"wanted": {name: n for name, n in kept.wanted.items() if name in processes}})
