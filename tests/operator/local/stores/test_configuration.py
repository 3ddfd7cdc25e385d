"""What the stores are told: the cluster's rules and labels, limits for all, and nothing for the network."""

import re
from pathlib import Path

import yaml

from slipway_operator.runtimes.local.observing import Process
from slipway_operator.runtimes.local.stores import configuration
from support.observed_shop import quicker
from support.repository import ROOT

FOLDER = Path("/data/stores")
RULES = (ROOT / "k8s/monitoring/rules.yaml").read_text()
WORKER = ("orders worker", "2", Process("0a1b2c3d", "worker", 7, admin=18028, ready=True))


def labels_of_pods():
    """What PodMonitors put on the series of a cluster."""
    documents = list(yaml.safe_load_all((ROOT / "k8s/monitoring/podmonitors.yaml").read_text()))
    return {re.sub(r"[./]", "_", label) for label in documents[0]["spec"]["podTargetLabels"]} | {"namespace", "pod"}


def test_processes_have_the_labels_of_pods():
    [gateway, worker] = configuration.targets_of([WORKER], "my shop", 18005)

    assert worker["targets"] == ["127.0.0.1:18028"]
    assert set(worker["labels"]) == labels_of_pods()
    assert worker["labels"] | {"namespace": "my-shop", "pod": "orders-worker-2"} == worker["labels"]
    assert worker["labels"]["app_kubernetes_io_name"] == worker["labels"]["slipway_dev_microservice"] == "orders"
    assert (gateway["targets"], gateway["labels"]["pod"]) == (["127.0.0.1:18005"], "gateway")


def test_only_who_runs_and_says_something_is_asked():
    infrastructure = ("PostgreSQL", "", Process("", "PostgreSQL", 5, ready=True))
    ended = ("orders http", "1", Process("0a1b2c3d", "http", 8, admin=18022, alive=False))

    assert len(configuration.targets_of([infrastructure, ended], "shop", 18005)) == 1


def test_the_rules_are_taken_as_they_are_but_for_those_of_a_cluster():
    groups = yaml.safe_load(RULES)["spec"]["groups"]
    kept = configuration.rules_of(RULES)["groups"]

    assert [group["name"] for group in groups if group not in kept] == ["releases", "keeping"]
    assert len(kept) == 3


def test_nothing_listens_beyond_this_machine():
    said = [
        *configuration.prometheus_command("p", FOLDER, 1),
        *configuration.alertmanager_command("a", FOLDER, 2),
        *configuration.victoria_logs_command("v", FOLDER, 3),
    ]
    listening = [each.partition("=") for each in said if re.match(r"--?\S*listen-?addr", each, re.IGNORECASE)]
    assert [value for _, _, value in listening] == ["127.0.0.1:1", "127.0.0.1:2", "", "127.0.0.1:3"]
    assert {"--web.cors.origin=none", "-http.disableCORS"} <= set(said)
    endpoints = re.findall(r"endpoint: (\S+)", configuration.written(configuration.jaeger_settings(4, 5)))
    assert sorted(endpoints) == ["127.0.0.1:0", "127.0.0.1:4", "127.0.0.1:5"]


def test_what_is_kept_has_a_limit():
    said = " ".join(
        [
            *configuration.prometheus_command("p", FOLDER, 1),
            *configuration.alertmanager_command("a", FOLDER, 2),
            *configuration.victoria_logs_command("v", FOLDER, 3),
        ]
    )
    for limit in ("retention.time=3d", "retention.size=512MB", "data.retention=72h", "-retentionPeriod=3d",
                  "maxDiskSpaceUsageBytes=1GB", "minFreeDiskSpaceBytes=500MB"):  # fmt: skip
        assert limit in said
    assert "max_traces: 5000" in configuration.written(configuration.jaeger_settings(4, 5))


def test_prometheus_asks_no_alertmanager_that_is_not_there():
    assert "alerting" not in configuration.prometheus_settings(FOLDER, None)
    assert "127.0.0.1:9093" in configuration.written(configuration.prometheus_settings(FOLDER, 9093))


def test_the_rules_of_the_tests_differ_from_those_of_the_cluster_by_durations_alone():
    fast = quicker(RULES)

    assert without_durations(fast) == without_durations(RULES)
    assert [text in fast for text in ("[1m]", "[5000ms]", "[60000ms]", "for: 2000ms", "age_seconds) > 1.0")] == [
        False, True, True, True, True,
    ]  # fmt: skip


def without_durations(rules):
    rules = re.sub(r"\[\d+(ms|[smhd])\]|for: \d+(ms|[smhd])", "DURATION", rules)
    return re.sub(r"(?<=_seconds\) > )[\d.]+", "SECONDS", rules)
