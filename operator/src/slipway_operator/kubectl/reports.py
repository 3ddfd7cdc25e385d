"""What tables and programs get: rows of services and of past releases, and a service as plain data. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ..planning.observed import VersionView, Workload
from ..spec.microservice import MicroserviceSpec
from ..spec.status import MicroserviceStatus, ReleaseRecord
from ..spec.stored import read_stored
from .explaining import Explanation
from .snapshot import Snapshot
from .text import span
from .tree import Mood

Manifest = dict[str, Any]

SERVICE_COLUMNS = ("NAME", "ACTIVE", "CANDIDATE", "PHASE", "STEP", "READY", "CONSUMERS", "AGE", "BLOCKED BY")
HISTORY_COLUMNS = ("ENDED", "KIND", "VERSION", "RESULT", "TOOK", "CONSUMER PAUSE", "BACK", "REASON")
_MOODS = {"Failed": Mood.BAD, "Blocked": Mood.BAD, "Released": Mood.PLAIN}


def services(found: Iterable[Manifest], records: Iterable[Manifest], now: datetime) -> list[dict[str, Any]]:
    """One mapping for each service, with the keys of the JSON output."""
    labels = _labels(records)
    return [_service(each, labels, now) for each in sorted(found, key=_where)]


def _where(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _labels(records: Iterable[Manifest]) -> dict[tuple[str, str, str], str]:
    return {
        (record["metadata"]["namespace"], record["spec"]["service"], record["spec"]["hash"]): record["spec"]["label"]
        for record in records
    }


def _service(manifest: Manifest, labels: Mapping[tuple[str, str, str], str], now: datetime) -> dict[str, Any]:
    namespace, name = _where(manifest)
    status = read_stored(MicroserviceStatus, manifest.get("status"))
    created = datetime.fromisoformat(manifest["metadata"]["creationTimestamp"])
    spec = MicroserviceSpec.model_validate(manifest["spec"])

    def version(one: str) -> dict[str, str]:
        return {"hash": one, "label": labels.get((namespace, name, one), "")} if one else {}

    return {
        "namespace": namespace,
        "name": name,
        "version": spec.version,
        "active": version(status.active_version),
        "candidate": version(status.candidate_version),
        "phase": status.phase if status.observed_generation >= 0 else "",
        "step": status.step,
        "ready": status.readiness,
        "consumers": status.consumers,
        "blockedBy": status.blocked_by,
        "ageSeconds": int((now - created).total_seconds()),
    }


def service_table(
    rows: Iterable[Mapping[str, Any]], *, namespaces: bool
) -> tuple[list[str], list[list[str]], list[Mood]]:
    columns = [*(["NAMESPACE"] if namespaces else []), *SERVICE_COLUMNS]
    cells, moods = [], []
    for row in rows:
        own = [
            row["name"], _title(row["active"]), _title(row["candidate"]), row["phase"] or "-", row["step"] or "-",
            row["ready"] or "-", row["consumers"] or "-", _age(row["ageSeconds"]), row["blockedBy"],
        ]  # fmt: skip
        cells.append([*([row["namespace"]] if namespaces else []), *own])
        moods.append(_MOODS.get(row["phase"], Mood.MOVING))
    return columns, cells, moods


def _title(version: Mapping[str, str]) -> str:
    if not version:
        return "-"
    return f"{version['label']} ({version['hash']})" if version["label"] else version["hash"]


_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def _age(seconds: int) -> str:
    """As kubectl has it: 5d, 3h, 20m, 8s."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"


# --- past releases
def history(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [_record(snapshot, each) for each in snapshot.status.history]


def _record(snapshot: Snapshot, record: ReleaseRecord) -> dict[str, Any]:
    made = record.model_dump(by_alias=True, mode="json")
    kept = snapshot.kept.get(record.version)
    made["kept"] = kept is not None
    made["retired"] = kept.retired if kept else ""
    return made


def history_rows(snapshot: Snapshot) -> tuple[list[list[str]], list[Mood]]:
    """Newest first. BACK says whether a rollback can name the version."""
    rows, moods = [], []
    for each in reversed(snapshot.status.history):
        pause = each.handover_pause_milliseconds
        rows.append(
            [
                f"{each.ended:%Y-%m-%d %H:%M:%S} UTC", each.kind, f"{each.label} ({each.version})", each.result,
                span(each.ended - each.started), "-" if pause is None else f"{pause / 1000:.1f} s",
                _back(snapshot, each.version), each.reason,
            ]
        )  # fmt: skip
        moods.append(Mood.BAD if each.result in {"Failed", "ContractFailed"} else Mood.PLAIN)
    return rows, moods


def _back(snapshot: Snapshot, version: str) -> str:
    kept = snapshot.kept.get(version)
    if version == snapshot.status.active_version:
        return "active"
    if kept is None:
        return "gone"
    held = snapshot.status.held_version
    if held and held.version == version:
        return "held"
    return "retired" if kept.retired else "yes"


# --- one service
def service(snapshot: Snapshot) -> dict[str, Any]:
    """What the tree shows, as data."""
    made: dict[str, Any] = {
        "namespace": snapshot.namespace,
        "name": snapshot.name,
        "version": snapshot.label,
        "generation": snapshot.generation,
        "status": snapshot.status.model_dump(by_alias=True, mode="json", exclude_none=True),
        "versions": [_version(snapshot, name) for name in snapshot.kept],
        "notShown": list(snapshot.hidden),
    }
    if snapshot.observed:
        made["gates"] = [
            {"version": version, "gate": gate, "state": view.state.value, "try": view.run, "message": view.message}
            for (version, gate), view in snapshot.observed.gates.items()
        ]
        made["migrations"] = [
            {"version": version, "kind": kind, "state": view.state.value, "message": view.message}
            for (version, kind), view in snapshot.observed.migrations.items()
        ]
    return made


def _version(snapshot: Snapshot, name: str) -> dict[str, Any]:
    kept = snapshot.kept[name]
    made: dict[str, Any] = {
        "hash": name, "label": kept.label, "revision": kept.revision, "retired": kept.retired,
    }  # fmt: skip
    view = snapshot.observed.versions.get(name) if snapshot.observed else None
    if view:
        made["problem"] = view.problem.message if view.problem else ""
        made["components"] = {name: _workload(each) for name, each in _workloads(view).items()}
        made["pods"] = [
            {"name": pod.name, "component": pod.component, "state": pod.state, "ready": pod.ready}
            for pod in snapshot.pods
            if pod.version == name
        ]
    return made


def _workloads(view: VersionView) -> dict[str, Workload]:
    return {**view.serving, **view.workers}


def _workload(workload: Workload) -> dict[str, int]:
    return {"wanted": workload.wanted, "pods": workload.pods, "ready": workload.ready, "endpoints": workload.endpoints}


def explanation(said: Explanation) -> dict[str, Any]:
    return {
        "headline": said.headline,
        "points": [{"about": word, "sentence": sentence} for word, sentence in said.points],
        "next": [{"command": command, "does": what} for command, what in said.next],
    }
