"""What the stores are told: addresses, limits, and whom Prometheus asks. Pure.

All listen on the loopback address alone. Where a program lets pages of other origins read it, that is turned off: what
is in logs is nobody else's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..console.processes import Named

RETENTION_DAYS = 3
METRICS_LIMIT = "512MB"  # of blocks that are written; what is in memory comes on top, two hours of it
LOGS_LIMIT = "1GB"  # whole days are removed, so the last day alone may be more
LONGEST_LINE = "1MB"  # one of 64,000 characters, each of them escaped
DISK_LEFT = "500MB"  # below it VictoriaLogs takes nothing more
MOST_TRACES = 5_000
SCRAPE_SECONDS = 5
MOST_SAMPLES = 20_000  # of one process
LARGEST_ANSWER = "10MB"
# Groups of k8s/monitoring that speak of what a cluster alone has: the operator, certificates and backups of others.
OF_A_CLUSTER = frozenset({"releases", "keeping"})
_NO_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Ports:
    """On 127.0.0.1."""

    prometheus: int
    alertmanager: int
    victoria_logs: int
    jaeger: int
    otlp: int


def local(port: int) -> str:
    return f"127.0.0.1:{port}"


def prometheus_command(program: str, folder: Path, port: int) -> list[str]:
    return [
        program,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--storage.tsdb.retention.time={RETENTION_DAYS}d",
        f"--storage.tsdb.retention.size={METRICS_LIMIT}",
        f"--web.listen-address={local(port)}",
        "--web.cors.origin=none",
        "--log.level=warn",
    ]


def prometheus_settings(folder: Path, alertmanager: int | None) -> dict[str, Any]:
    """``alertmanager``: its port; None: there is none."""
    settings: dict[str, Any] = {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
        "rule_files": [str(folder / "rules.yaml")],
        "scrape_configs": [
            {
                "job_name": "processes",
                "sample_limit": MOST_SAMPLES,
                "body_size_limit": LARGEST_ANSWER,
                "file_sd_configs": [{"files": [str(folder / "targets.json")]}],
            }
        ],
    }
    if alertmanager:
        settings["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [local(alertmanager)]}]}]}
    return settings


def rules_of(rules: str) -> dict[str, Any]:
    """The groups of a PrometheusRule that speak of what runs here, as a file of Prometheus."""
    groups = yaml.safe_load(rules)["spec"]["groups"]
    return {"groups": [group for group in groups if group["name"] not in OF_A_CLUSTER]}


def targets_of(everything: Iterable[Named], project: str, gateway: int) -> list[dict[str, Any]]:
    """Whom Prometheus asks, with the labels that PodMonitors give on a cluster: the rules and dashboards are the same.
    ``gateway``: the port of its metrics.
    """
    namespace = _label(project) or "laptop"
    found = [_target(gateway, {"namespace": namespace, "pod": "gateway", "app_kubernetes_io_name": "gateway"})]
    for name, version, process in everything:
        if process.admin and process.alive:
            service = name.removesuffix(f" {process.component}")
            labels = {
                "namespace": namespace,
                "pod": _label(f"{name} {version}"),
                "app_kubernetes_io_name": service,
                "app_kubernetes_io_component": process.component,
                "app_kubernetes_io_version": _label(version),
                "slipway_dev_microservice": service,
                "slipway_dev_version": process.version,
            }
            found.append(_target(process.admin, labels))
    return found


def _target(port: int, labels: Mapping[str, str]) -> dict[str, Any]:
    return {"targets": [local(port)], "labels": dict(labels)}


def _label(text: str) -> str:
    return _NO_LABEL.sub("-", text).strip("-")


def alertmanager_command(program: str, folder: Path, port: int) -> list[str]:
    return [
        program,
        f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--data.retention={24 * RETENTION_DAYS}h",
        f"--web.listen-address={local(port)}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


def alertmanager_settings() -> dict[str, Any]:
    """Nobody is written to: alerts are looked at."""
    return {"route": {"receiver": "nobody", "group_by": ["alertname"]}, "receivers": [{"name": "nobody"}]}


def victoria_logs_command(program: str, folder: Path, port: int) -> list[str]:
    return [
        program,
        f"-storageDataPath={folder / 'victoria-logs'}",
        f"-retentionPeriod={RETENTION_DAYS}d",
        f"-retention.maxDiskSpaceUsageBytes={LOGS_LIMIT}",
        f"-storage.minFreeDiskSpaceBytes={DISK_LEFT}",
        "-memory.allowedBytes=64MB",
        f"-insert.maxLineSizeBytes={LONGEST_LINE}",
        f"-httpListenAddr={local(port)}",
        "-http.disableCORS",
        "-loggerLevel=WARN",
        "-loggerErrorsPerSecondLimit=5",
    ]


def jaeger_command(program: str, folder: Path, _port: int) -> list[str]:
    """Its ports are in its file."""
    return [program, f"--config={folder / 'jaeger.yaml'}"]


def jaeger_settings(query: int, otlp: int) -> dict[str, Any]:
    """Traces are kept in memory, the last ones: a store on disk would have no limit but their age."""
    http = {"endpoint": local(query)}
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["jaeger_storage_exporter"]}
            },
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
        },
        "extensions": {
            "jaeger_query": {"storage": {"traces": "last"}, "http": http, "grpc": {"endpoint": local(0)}},
            "jaeger_storage": {"backends": {"last": {"memory": {"max_traces": MOST_TRACES}}}},
        },
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": local(otlp)}}}},
        "processors": {"batch": {}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "last"}},
    }


def written(settings: Mapping[str, Any] | Sequence[Any]) -> str:
    return yaml.safe_dump(settings, sort_keys=False)
