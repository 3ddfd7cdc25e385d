"""Alerts and dashboards: PromQL that parses, about metrics that the code exports, with labels that these have."""

import json
import re
import subprocess
import sys

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

import slipway_chassis.auth.keys
import slipway_chassis.auth.tokens
import slipway_chassis.events.consumer
import slipway_chassis.events.dead_letters
import slipway_chassis.events.parking
import slipway_chassis.events.relay
import slipway_chassis.grpc.edge
import slipway_chassis.http.api
import slipway_chassis.http.client
import slipway_chassis.http.idempotency
import slipway_chassis.resilience.breaker
import slipway_chassis.resilience.bulkhead
import slipway_chassis.resilience.retry
import slipway_chassis.timers  # noqa: F401 # metrics are made where they are counted
from slipway_chassis.telemetry.requests import RequestMetrics
from slipway_operator.runtimes.kubernetes.api.kinds import Key
from slipway_operator.runtimes.kubernetes.gates import traffic
from slipway_operator.runtimes.kubernetes.metrics import OPEN_LABELS, Metrics
from support.repository import ROOT

MONITORING = ROOT / "k8s" / "monitoring"
RULES = yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]["groups"]
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
# What Prometheus and the PodMonitor put on every series.
ADDED = {"namespace", "pod", "le"} | {
    re.sub("[./]", "_", label)
    for each in yaml.safe_load_all((MONITORING / "podmonitors.yaml").read_text())
    for label in each["spec"].get("podTargetLabels", [])
}


def exported():
    """Series → its labels."""
    requests = CollectorRegistry()
    RequestMetrics("orders", requests)
    found = {}
    for registry in (REGISTRY, requests, Metrics().registry):
        for collector in registry._collector_to_names:
            labels = set(getattr(collector, "_labelnames", ()))
            for name in registry._collector_to_names[collector]:
                found[name] = labels
    return found


# Names and labels as their documentation has them.
OF_OTHERS = {
    "up": set(),
    "certmanager_certificate_expiration_timestamp_seconds": {"exported_namespace", "name"},
    "cnpg_collector_last_available_backup_timestamp": set(),
    "kube_cronjob_status_last_successful_time": {"cronjob"},  # kube-state-metrics'
    "kube_cronjob_status_last_schedule_time": {"cronjob"},
    "kube_cronjob_next_schedule_time": {"cronjob"},
}
EXPORTED = exported() | OF_OTHERS | {"slipway_release_stage_age_seconds": set(OPEN_LABELS)}
RECORDED = {rule["record"]: {"service"} for group in RULES for rule in group["rules"] if "record" in rule}


def expressions():
    for group in RULES:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"].replace("$namespace", "shop")
    yield from (("gates of type analysis", query) for query in traffic.queries(Key("shop", "orders"), "0a1b2c3d", 60))


def selectors(node):
    """The vector selectors below a node of the parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "vector_selector", "param"):
        if (inner := getattr(node, name, None)) is not None and not isinstance(inner, str):
            yield from selectors(inner)
    for argument in getattr(node, "args", None) or []:
        yield from selectors(argument)


@pytest.mark.parametrize(
    ("name", "expression"), list(expressions()), ids=lambda part: part if ":" not in part else None
)
def test_an_expression_is_about_metrics_that_exist(name, expression):
    found = list(selectors(promql_parser.parse(expression)))
    assert found or expression.startswith("vector("), name
    known = EXPORTED | RECORDED
    for selector in found:
        assert selector.name in known, f"{name}: nobody exports {selector.name}"
        for matcher in selector.matchers.matchers:
            assert matcher.name in known[selector.name] | ADDED, f"{name}: {selector.name} has no label {matcher.name}"
    labels = set().union(*(known[selector.name] for selector in found)) | ADDED
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert {each.strip() for each in grouped.split(",")} <= labels, f"{name}: by ({grouped})"


def test_a_metric_that_nobody_exports_would_be_found():
    with pytest.raises(AssertionError, match="nobody exports outbox_pendig"):
        test_an_expression_is_about_metrics_that_exist("typing error", "sum(rate(outbox_pendig[5m])) > 0")
    with pytest.raises(ValueError, match="parenthesis"):
        test_an_expression_is_about_metrics_that_exist("unclosed", "sum(rate(outbox_pending[5m])")


COUNTED_AT_ONCE = re.compile(r"increase\((\w+)(\{[^}]*\})?\[\w+\]\)\) > 0")
AT_THE_START = """
import slipway_chassis.events.dead_letters
from prometheus_client import REGISTRY, generate_latest
from slipway_operator.runtimes.kubernetes.metrics import Metrics
print(generate_latest(REGISTRY).decode(), generate_latest(Metrics().registry).decode())
"""


def test_what_is_told_of_at_its_first_time_is_counted_from_0():
    """There is no increase in a series that begins with 1, so an alert on it would miss the first time."""
    told = {found[1] for group in RULES for rule in group["rules"] if (found := COUNTED_AT_ONCE.search(rule["expr"]))}
    assert told == {"dlq_total", "slipway_releases_total"}
    said = subprocess.run([sys.executable, "-c", AT_THE_START], capture_output=True, text=True, check=True).stdout
    zeros = set(re.findall(r'^ ?(\w+\{\w+="\w+"\}) 0\.0$', said, re.MULTILINE))
    reasons = {f'dlq_total{{reason="{each}"}}' for each in ("failed", "invalid", "parked", "unknown_version")}
    outcomes = {f'slipway_releases_total{{outcome="{each}"}}' for each in ("Failed", "ContractFailed")}
    assert reasons | outcomes <= zeros


def test_alerts_say_what_is_wrong_and_what_to_do():
    alerts = [rule for group in RULES for rule in group["rules"] if "alert" in rule]
    assert len({rule["alert"] for rule in alerts}) == len(alerts) >= 10
    for rule in alerts:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks.md#{rule['alert'].lower()}")


@pytest.mark.parametrize("page", ["runbooks.md", "runbooks.zh-CN.md"])
def test_each_alert_has_a_runbook(page):
    alerts = [rule["alert"] for group in RULES for rule in group["rules"] if "alert" in rule]
    assert re.findall(r"^## (\w+)$", (ROOT / "docs" / page).read_text(), re.MULTILINE) == alerts


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_imported(path):
    board = json.loads(path.read_text())
    assert board["uid"] == f"slipway-{path.stem}"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in board["panels"])
    assert "slipway" in board["tags"]
