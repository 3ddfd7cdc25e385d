"""Each alert fires by what it is about, says whose it is, and is over when that is: rules evaluated by promtool."""

import json
import re
import subprocess
from dataclasses import dataclass, field

import pytest
import yaml

from support.repository import ROOT
from support.tools import tool

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(tool("promtool") is None, reason="not built: ci/tools/install.sh promtool"),
]
RULES = yaml.safe_load((ROOT / "k8s" / "monitoring" / "rules.yaml").read_text())["spec"]
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule}
POD = 'namespace="shop",pod="shop-orders-7d9-x",app_kubernetes_io_name="orders"'
VERSION = 'namespace="shop",service="orders",app_kubernetes_io_version="2",slipway_dev_microservice="shop-orders"'
OF_VERSION = {
    "namespace": "shop", "service": "orders", "app_kubernetes_io_version": "2",
    "slipway_dev_microservice": "shop-orders",
}  # fmt: skip
OF_POD = {"namespace": "shop", "pod": "shop-orders-7d9-x"}
OF_SERVICE = {"namespace": "shop", "app_kubernetes_io_name": "orders"}
STUCK = 'microservice_namespace="shop",microservice="shop-orders",phase="{phase}",stage="Scaling"'
GRPC = f'{POD},slipway_dev_microservice="shop-orders",method="Reserve"'
HTTP_POD = 'up{namespace="shop",app_kubernetes_io_name="orders",app_kubernetes_io_component="http"}'
DAY = 24 * 60


@dataclass(frozen=True)
class Case:
    """Times in minutes. Until ``fires`` they are wrong, and at ``clears`` they have been right again.
    ``says``: what the summary and the action have in them.
    """

    alert: str
    series: dict[str, str]
    fires: int
    clears: int
    labels: dict[str, str] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    is_silent: bool = False
    step: int = 1  # minutes between two values of the series


def requests(good, bad, version=VERSION):
    """Counters of requests that were answered and that failed."""
    return {
        f'flask_http_request_total{{status="200",{version}}}': good,
        f'flask_http_request_total{{status="500",{version}}}': bad,
    }


CASES = [
    Case(
        "ErrorBudgetBurnsFast", requests("0+540x70 37800+600x120", "0+60x70 4200+0x120"), fires=65, clears=180,
        labels=OF_VERSION, says=("Version 2 of orders", "kubectl slipway explain shop-orders -n shop"),
    ),
    Case("ErrorBudgetBurnsFast", requests("0+1x70", "0+0.2x70"), fires=65, clears=66, is_silent=True),  # few requests
    Case("ErrorBudgetBurnsFast", requests("0+600x70", "0+3x70"), fires=65, clears=66, is_silent=True),  # 0.5 %
    Case(
        "ErrorBudgetBurnsSlowly", requests("0+5900x144 849600+6000x576", "0+100x144 14400+0x576"),
        fires=DAY - 10, clears=5 * DAY - 10, labels=OF_VERSION, says=("Version 2 of orders",), step=10,
    ),
    Case(
        "HighGrpcErrorRate",
        {f'grpc_server_calls_total{{code="OK",{GRPC}}}': "0+90x20 1800+100x20",
         f'grpc_server_calls_total{{code="INTERNAL",{GRPC}}}': "0+10x20 200+0x20"},
        fires=18, clears=38, labels=OF_SERVICE | {"slipway_dev_microservice": "shop-orders"},
        says=("orders fails 10% of its gRPC calls", "kubectl slipway explain shop-orders -n shop"),
    ),
    Case(
        "HighRequestLatency",
        {f'flask_http_request_duration_seconds_bucket{{le="{le}",{VERSION}}}': values for le, values in
         (("1", "0+0x30 0+100x30"), ("2.5", "0+100x30 3000+100x30"), ("+Inf", "0+100x30 3000+100x30"))},
        fires=25, clears=50, labels={"namespace": "shop", "service": "orders"}, says=("durations of orders",),
    ),
    Case(
        "CircuitBreakerOpen", {f'circuit_breaker_state{{name="inventory",{POD}}}': "2x10 0x10"}, fires=8, clears=15,
        labels={"namespace": "shop", "name": "inventory"}, says=("calls to inventory is open",),
    ),
    Case(
        "OutboxNotDraining", {f"outbox_oldest_age_seconds{{{POD}}}": "90x10 0x10"}, fires=8, clears=15, labels=OF_POD,
        says=("outbox of shop-orders-7d9-x",),
    ),
    Case(
        "NoRelayActive", {f"outbox_shards_owned{{{POD}}}": "0x10 64x10"}, fires=8, clears=15, labels=OF_SERVICE,
        says=("events of orders",),
    ),
    Case(  # all relays are gone, and what writes events is there
        "NoRelayActive",
        {f"outbox_shards_owned{{{POD}}}": "64x10 stale _x20 64x10", HTTP_POD: "1x50"},
        fires=15, clears=38, labels=OF_SERVICE, says=("events of orders",),
    ),
    Case(  # the service was stopped on purpose, or is gone
        "NoRelayActive",
        {f"outbox_shards_owned{{{POD}}}": "64x10 stale", HTTP_POD: "1x10 stale"},
        fires=15, clears=38, is_silent=True,
    ),
    Case(
        "ConsumerLagHigh", {f"consumer_lag_seconds{{{POD}}}": "300x10 1x10"}, fires=8, clears=15, labels=OF_SERVICE,
        says=("orders is more than two minutes behind",),
    ),
    Case(
        "EventHandlerHangs", {f"consumer_handler_running_seconds{{{POD}}}": "90x5 0x5"}, fires=3, clears=8,
        labels=OF_SERVICE | OF_POD, says=("handler of shop-orders-7d9-x",),
    ),
    Case(
        "EventsDeadLettered", {f'dlq_total{{reason="failed",{POD}}}': "0x5 3x60"}, fires=10, clears=40,
        labels=OF_SERVICE | {"reason": "failed"}, says=("orders moved events to a dead-letter topic: failed",),
    ),
    Case(
        "KeysParked", {f'parked_keys{{consumer_group="orders",{POD}}}': "2x70 0x10"}, fires=65, clears=75,
        labels={"namespace": "shop", "consumer_group": "orders"}, says=("2 keys of orders",),
    ),
    Case(
        "ReleaseStuck", {f"slipway_release_stage_age_seconds{{{STUCK.format(phase='Releasing')}}}": "0+60x20 _x10"},
        fires=19, clears=28,
        labels={"microservice_namespace": "shop", "microservice": "shop-orders", "phase": "Releasing",
                "stage": "Scaling"},
        says=("release of shop-orders", "kubectl slipway explain shop-orders -n shop"),
    ),
    Case(  # it waits for a person
        "ReleaseStuck", {f"slipway_release_stage_age_seconds{{{STUCK.format(phase='Waiting')}}}": "0+60x30"},
        fires=25, clears=26, is_silent=True,
    ),
    Case(
        "ReleaseFailed", {'slipway_releases_total{outcome="Failed"}': "0x5 1x30"}, fires=10, clears=30,
        labels={"outcome": "Failed"}, says=("A release failed",),
    ),
    Case(
        "OperatorWithoutLeader", {"slipway_leading": "0x10 1x10"}, fires=8, clears=15, says=("no leader",),
    ),
    Case("OperatorWithoutLeader", {"slipway_leading": "_x10 1x10"}, fires=8, clears=15, says=("no leader",)),
    Case(
        "ReconciliationDelayed", {"slipway_queue_age_seconds": "90x20 0x20"}, fires=15, clears=30,
        says=("delayed or failing",),
    ),
    Case(
        "CertificateExpiresSoon",
        {'certmanager_certificate_expiration_timestamp_seconds{exported_namespace="shop",name="gateway"}':
         f"{3 * 86400}x100 {90 * 86400}x10"},
        fires=90, clears=105, labels={"exported_namespace": "shop", "name": "gateway"},
        says=("certificate gateway expires in 2d", "kubectl -n shop describe certificate gateway"),
    ),
    Case(
        "BackupTooOld",
        {'cnpg_collector_last_available_backup_timestamp{namespace="shop",cnpg_io_cluster="orders-db"}':
         f"0x162 {27 * 3600}x6"},
        step=10, fires=27 * 60 - 10, clears=27 * 60 + 30, labels={"namespace": "shop", "cnpg_io_cluster": "orders-db"},
        says=("backup of orders-db is 1d",),
    ),
    Case(
        "BackupJobTooOld",  # it began at 01:00, and succeeded four hours later
        {'kube_cronjob_status_last_schedule_time{namespace="shop",cronjob="shop-orders-backup"}': "0x5 3600x60",
         'kube_cronjob_status_last_successful_time{namespace="shop",cronjob="shop-orders-backup"}': "60x29 18000x36",
         'kube_cronjob_next_schedule_time{namespace="shop",cronjob="shop-orders-backup"}': "90000x66"},
        step=10, fires=4 * 60, clears=5 * 60 + 10, labels={"namespace": "shop", "cronjob": "shop-orders-backup"},
        says=("shop-orders-backup should have succeeded 3h",),
    ),
    Case(
        "BackupJobTooOld",  # never, since nobody begins it; then it is done
        {'kube_cronjob_next_schedule_time{namespace="shop",cronjob="etcd-backup"}': "3600x29 604800x36"},
        step=10, fires=4 * 60, clears=5 * 60 + 10, labels={"namespace": "shop", "cronjob": "etcd-backup"},
        says=("etcd-backup should have succeeded 3h",),
    ),
]  # fmt: skip


def fired(case, folder):
    """Minute → labels and annotations of the alert then. promtool is told to expect none, and says what it got."""
    tests = [{"eval_time": f"{at}m", "alertname": case.alert, "exp_alerts": []} for at in (case.fires, case.clears)]
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    story = {"interval": f"{case.step}m", "input_series": series, "alert_rule_test": tests}
    (folder / "rules.yaml").write_text(yaml.safe_dump(RULES))
    (folder / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": f"{case.step}m", "tests": [story]})
    )
    done = subprocess.run(
        [tool("promtool"), "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert (done.returncode == 0) == ("FAILED" not in said), said
    return {
        minutes(found[1]): (pairs(found[2]), pairs(found[3]))
        for found in re.finditer(
            r"time: (\w+),.*?got:\[\s*0:\s*Labels:(\{.*?\})\s*Annotations:(\{.*?\})\s*\]", said, re.DOTALL
        )
    }


def minutes(duration):
    units = {"d": DAY, "h": 60, "m": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhm])", duration))


def pairs(text):
    return {name: json.loads(f'"{value}"') for name, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', text)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}{'-silent' if case.is_silent else ''}")
def test_an_alert_fires_says_whose_it_is_and_clears(case, tmp_path):
    found = fired(case, tmp_path)
    assert list(found) == ([] if case.is_silent else [case.fires])
    for labels, annotations in found.values():
        assert labels == case.labels | ALERTS[case.alert]["labels"] | {"alertname": case.alert}
        said = f"{annotations['summary']}; {annotations['action']}"
        assert not [words for words in case.says if words not in said], said


def test_each_alert_has_a_case():
    assert {case.alert for case in CASES if not case.is_silent} == set(ALERTS)
