"""Migrations and gates: Jobs, and results that are kept in annotations of a version's record."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ....planning.observed import GateState, GateView, JobState, JobView, MigrationKind
from ..api.kinds import ATTEMPT, FIRST_STARTED, GATE, ROLE_LABEL, RUN, STARTED, VERSION_LABEL
from .cluster_snapshot import ClusterSnapshot
from .conditions import Manifest, condition, moment

# Digits of an attempt or a run; a longer number was written by somebody else.
_LONGEST_NUMBER = 9
# Prefix of the annotations on a ServiceVersion in which results of gates are kept that are no Jobs.
GATE_RESULT = "gate.slipway.dev/"


def migrations(jobs: list[Manifest]) -> Iterator[tuple[tuple[str, MigrationKind], JobView]]:
    """The latest attempt of each: earlier ones come first, and are replaced in the mapping."""
    for job in sorted(jobs, key=_attempt):
        role: MigrationKind | None = _migration_kind(job["metadata"]["labels"].get(ROLE_LABEL))
        if role and VERSION_LABEL in job["metadata"]["labels"]:
            state, message, _ = _job_state(job)
            yield (job["metadata"]["labels"][VERSION_LABEL], role), JobView(state, _attempt(job), message)


def _migration_kind(role: str | None) -> MigrationKind | None:
    if role == "expand":
        return "expand"
    return "contract" if role == "contract" else None


def _attempt(job: Manifest) -> int:
    return number_of(job, ATTEMPT)


def number_of(job: Manifest, name: str) -> int:
    """0 where somebody has written something else."""
    value = str((job["metadata"].get("annotations") or {}).get(name, ""))
    return int(value) if value.isdecimal() and len(value) < _LONGEST_NUMBER else 0


def _job_state(job: Manifest) -> tuple[JobState, str, str | None]:
    """State, message and when it ended. FailureTarget comes before Failed, while pods still end: it runs until then."""
    complete, failed = condition(job, "Complete"), condition(job, "Failed")
    if complete.get("status") == "True":
        return JobState.SUCCEEDED, "", complete.get("lastTransitionTime")
    if failed.get("status") == "True":
        return JobState.FAILED, failed.get("message", ""), failed.get("lastTransitionTime")
    return JobState.RUNNING, "", None


def gates(seen: ClusterSnapshot) -> dict[tuple[str, str], GateView]:
    """The last run of each, wherever it is kept: one that becomes a gate of another type leaves its former runs."""
    found = _results(seen)
    for which, view in _gate_jobs(seen.jobs).items():
        kept = found.get(which)
        if kept is None or (view.attempt, view.run) >= (kept.attempt, kept.run):
            found[which] = view
    return found


def _gate_jobs(jobs: list[Manifest]) -> dict[tuple[str, str], GateView]:
    states = {
        JobState.RUNNING: GateState.RUNNING,
        JobState.SUCCEEDED: GateState.PASSED,
        JobState.FAILED: GateState.FAILED,
    }
    found = {}
    ours = [job for job in jobs if job["metadata"]["labels"].get(ROLE_LABEL) == "gate" and _is_ours(job)]
    for job in sorted(ours, key=lambda each: (_attempt(each), number_of(each, RUN))):
        notes = job["metadata"]["annotations"]
        state, message, ended = _job_state(job)
        with suppress(ValueError):  # times that somebody edited: the gate is asked again
            found[job["metadata"]["labels"][VERSION_LABEL], notes[GATE]] = GateView(
                state=states[state],
                attempt=_attempt(job),
                run=number_of(job, RUN),
                started=moment(notes.get(STARTED) or job["metadata"]["creationTimestamp"]),
                first_started=moment(notes[FIRST_STARTED]),
                finished=moment(ended) if ended else None,
                message=message,
            )
    return found


def _is_ours(job: Manifest) -> bool:
    notes = job["metadata"].get("annotations") or {}
    return VERSION_LABEL in job["metadata"]["labels"] and {GATE, FIRST_STARTED} <= notes.keys()


def _results(seen: ClusterSnapshot) -> dict[tuple[str, str], GateView]:
    """A result that can't be read is none: the gate is asked again."""
    found = {}
    for version, manifest in seen.versions.items():
        for name, value in (manifest["metadata"].get("annotations") or {}).items():
            if name.startswith(GATE_RESULT):
                with suppress(ValueError, KeyError, TypeError, AttributeError):
                    found[version, name.removeprefix(GATE_RESULT)] = gate_view(json.loads(value))
    return found


def _counted(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 10**_LONGEST_NUMBER:
        raise ValueError(value)
    return value


def gate_view(kept: Mapping[str, Any]) -> GateView:
    return GateView(
        state=GateState(kept["state"]),
        attempt=_counted(kept["attempt"]),
        run=_counted(kept["run"]),
        started=moment(kept["started"]),
        first_started=moment(kept["firstStarted"]),
        finished=moment(kept["finished"]),
        message=kept["message"],
    )


def kept_result(view: GateView) -> str:
    return json.dumps(
        {
            "state": view.state.value,
            "attempt": view.attempt,
            "run": view.run,
            "started": view.started.isoformat(),
            "firstStarted": view.first_started.isoformat(),
            "finished": (view.finished or view.started).isoformat(),
            "message": view.message,
        }
    )
