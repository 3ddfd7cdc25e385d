"""The laptop's facts, as far as they are pure: steps of a journal, numbers of processes and brokers, what was told."""

import json
from datetime import UTC, datetime

import pytest

from slipway_chassis.config import RUNNING_HERE
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.events.kafka import Committed
from slipway_operator.console.model import Breaker, Consumers, DeadLetters, Lag
from slipway_operator.errors import LocalRuntimeError, NotRunning
from slipway_operator.runtimes.local.console.acting import AUDIT_LOG, auditor
from slipway_operator.runtimes.local.console.addresses import Addresses
from slipway_operator.runtimes.local.console.finding import Finding, lines_about
from slipway_operator.runtimes.local.console.gauges import gauge_source, gauges_of, samples_of
from slipway_operator.runtimes.local.console.happenings import MOST, Happenings
from slipway_operator.runtimes.local.console.processes import process_views
from slipway_operator.runtimes.local.console.releases import Releases, last_of, lines_of, step_failed, steps_of
from slipway_operator.runtimes.local.console.serving import address_on, token_of
from slipway_operator.runtimes.local.console.streams import lags_of, streams_of
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.observing import Process
from slipway_operator.runtimes.local.state import Files
from slipway_operator.runtimes.local.system import Service, System
from slipway_operator.spec.status import ReleaseRecord

HOSTILE = "<img src=x onerror=alert(1)>"
JOURNAL = """99.000\torders Starting\tof a release before
100.200\torders\tRelease of 2 begins
100.400\torders Migrating\tthe database is made ready
half of a line
x\torders Checking\tno time
104.000\torders http\t2 is ready
104.500\torders Starting\tits processes start
105.000\tusers Starting\tof another service
107.000\torders HandingOver\tevents are handed over
"""


@pytest.fixture(name="layout")
def _layout(tmp_path):
    layout = Layout(tmp_path / ".slipway", gateway=0, base=18000)
    layout.logs.mkdir(parents=True)
    return layout


def test_a_stage_ends_where_the_next_one_begins():
    steps = steps_of("orders", lines_of(JOURNAL), 100.0, None)
    assert [(one.stage, one.began, one.ended) for one in steps] == [
        ("Migrating", 100.4, 104.5), ("Starting", 104.5, 107.0), ("HandingOver", 107.0, None),
    ]  # fmt: skip
    assert steps[-1].said == "events are handed over"


def test_the_last_stage_of_a_release_that_is_over_ends_with_it():
    assert steps_of("orders", lines_of(JOURNAL), 100.0, 109.0)[-1].ended == 109.0
    assert [one.stage for one in steps_of("orders", lines_of(JOURNAL), 98.9, 99.5)] == ["Starting"]
    assert steps_of("orders", [], 0.0, None) == []


def record(kind, result, began, ended):
    times = {"started": datetime.fromtimestamp(began, UTC), "ended": datetime.fromtimestamp(ended, UTC)}
    return ReleaseRecord(version="11111111", kind=kind, result=result, **times)


def test_a_rollback_after_a_failure_is_shown_with_the_release_that_failed():
    first, failed = record("Install", "Succeeded", 1, 2), record("Release", "Failed", 3, 4)
    undo, back = record("Undo", "Succeeded", 4, 6), record("Rollback", "Succeeded", 7, 8)
    assert last_of([first]) is None
    assert last_of([first, failed]) == (failed, failed.ended)
    assert last_of([first, failed, undo]) == (failed, undo.ended)
    assert last_of([first, failed, undo, back]) == (back, back.ended)


def test_the_stage_that_went_on_when_it_failed_is_the_one_that_failed():
    steps = steps_of("orders", lines_of(JOURNAL), 100.0, 109.0)
    assert [step.failed for step in step_failed(steps, 105.0)] == [False, True, False]
    assert [step.failed for step in step_failed(steps, 50.0)] == [False, False, False]


@pytest.mark.parametrize("broken", ["status.json", "state.json", "wish.json"])
def test_a_broken_file_of_a_release_is_a_sentence_on_its_service_alone(layout, broken):
    services = [Service(name="orders"), Service(name="users")]
    system = System.model_construct(services=services)
    for service in services:
        Files(layout.releases(service.name))
    (layout.releases("orders") / broken).write_text('{"half')
    with layout.locked():
        orders, users = Releases(layout, system).look()
    assert f"{broken} can't be read" in orders.trouble
    assert users.trouble == ""
    assert users.phase == "Pending"


def test_where_nothing_runs_it_is_said(layout):
    [orders] = Releases(layout, System.model_construct(services=[Service(name="orders")])).look()
    assert "nothing runs here" in orders.trouble
    with pytest.raises(NotRunning):
        address_on(layout)
    with layout.locked(), pytest.raises(NotRunning, match="--no-console"):
        address_on(layout)
    with pytest.raises(NotRunning, match="have not begun"):
        Addresses(layout).databases()


METRICS = """# HELP circuit_breaker_state State
circuit_breaker_state{name="users"} 2.0
circuit_breaker_state{name="pay\\"ments",pid="7"} 0.0
circuit_breaker_rejected_total{name="users"} 7.0
outbox_published_total{topic="orders.order.v1"} 41.0
events_consumed_total{type="users.UserRegistered.v1"} 3.0
consumer_lag_seconds 0.25
consumer_handler_running_seconds nan-sense
python_gc_objects_collected_total{generation="0"} 1.0
"""


def test_numbers_of_processes_are_read_and_silence_is_named():
    found = gauges_of([("orders worker 2", samples_of(METRICS)), ("users http", "127.0.0.1:7/metrics: refused")])
    assert found.breakers == (
        Breaker("orders worker 2", "users", "open", 7),
        Breaker("orders worker 2", 'pay\\"ments', "closed", 0),
    )
    [traffic] = found.traffic
    assert (traffic.published, traffic.applied, traffic.lag) == (
        {"orders.order.v1": 41}, {"users.UserRegistered.v1": 3}, 0.25,
    )  # fmt: skip
    assert found.silent == (("users http", "127.0.0.1:7/metrics: refused"),)


def test_a_process_that_is_ready_and_silent_is_named_and_one_on_its_way_is_not():
    port = free_port()
    ready, starting, ended = (
        Process("h", "worker", 7, admin=port, alive=alive, ready=ready)
        for alive, ready in [(True, True), (True, False), (False, False)]
    )
    named = [("orders worker", "2", ready), ("users worker", "2", starting), ("inventory worker", "2", ended)]
    [(process, why)] = gauge_source(lambda: named)().silent
    assert process == "orders worker 2"
    assert f"127.0.0.1:{port}/metrics" in why


def test_a_group_is_behind_by_what_it_has_not_read_and_can_still_read():
    ranges = {("a", 0): (5, 10), ("a", 1): (0, 4), ("b", 0): (0, 1)}
    committed = {("a", 0): Committed(2), ("a", 1): Committed(4), ("gone", 0): Committed(1)}
    assert lags_of(committed, ranges) == (Lag("a", 5, 14),)
    group = Consumers("users", "Stable", ("users-consumer-dev-vm",), lags_of(committed, ranges))
    assert group.behind == 5


def test_dead_letters_and_retries_are_no_topics_of_their_own():
    ranges = {
        ("orders.order.v1", 0): (2, 10), ("orders.order.v1", 1): (0, 1), ("orders.order.v1.users.dlq", 0): (1, 4),
        ("orders.order.v1.users.retry", 0): (0, 3), ("orders.order.v1.orders.dlq", 0): (3, 3), ("__x", 0): (0, 9),
    }  # fmt: skip
    found = streams_of(ranges, [])
    assert found.topics == (("orders.order.v1", 9),)
    assert found.letters == (DeadLetters("orders.order.v1", "users", 3),)  # purged ones are none


def test_what_was_told_is_bounded_and_falls_are_counted():
    at = iter(range(10_000))
    happenings = Happenings(lambda: float(next(at)))
    for number in range(MOST + 10):
        happenings.tell("orders", f"line {number}")
    happenings.fell("orders worker")
    assert len(happenings.newest_first()) == MOST
    assert happenings.newest_first()[0].fall
    named = [
        ("orders worker", "2", Process("h", "worker", 7, alive=True, ready=True)),
        ("orders http", "2", Process("h", "http", 8, alive=False)),
    ]
    worker, http = process_views(named, happenings)
    assert (worker.state, worker.falls, worker.fell) == ("ready", 1, float(MOST + 10))
    assert (http.state, http.falls, http.fell) == ("ended", 0, None)


def test_lines_and_the_way_of_an_id_come_as_they_were_written(layout):
    line = {
        "@timestamp": "2026-01-31T12:00:00+00:00",
        "message": HOSTILE,
        "trace.id": "4bf92f35",
        "service.name": "users",
    }
    (layout.logs / "users-http.log").write_text(f"{json.dumps(line)}\n{json.dumps(line | {'trace.id': 'other'})}\n")
    finding = Finding(layout, Addresses(layout))
    [found] = finding.logs({"about": "4bf92f35"})["lines"]
    assert (found["said"], found["service"], found["trace"]) == (HOSTILE, "users", "4bf92f35")
    [span] = finding.way({"about": "4bf92f35"})["spans"]
    assert (span["kind"], span["name"]) == ("line", HOSTILE)
    with pytest.raises(LocalRuntimeError, match="4 characters"):
        lines_about(layout, "abc")


def test_an_action_is_one_line_of_the_logs_and_one_that_was_refused_too(layout):
    happenings = Happenings(lambda: 1.0)
    audit = auditor(layout, happenings, lambda: datetime(2026, 1, 31, 12, tzinfo=UTC))
    words = {"action": "promote", "service": "orders\n{}"}
    audit({"who": "127.0.0.1", "words": words, "outcome": "done", "said": "it is promoted"})
    audit({"who": "127.0.0.1", "words": {}, "outcome": "refused", "said": "no token"})
    done, refused = [json.loads(line) for line in (layout.logs / AUDIT_LOG).read_text().splitlines()]
    assert (done["client.address"], done["event.action"], done["event.outcome"]) == ("127.0.0.1", "promote", "success")
    assert (refused["event.outcome"], refused["log.level"]) == ("failure", "warning")
    assert [one.said for one in happenings.newest_first()] == ["promote orders\n{}: it is promoted"]


def test_the_token_is_made_once_and_is_its_owners_alone(layout):
    token = token_of(layout)
    assert len(token) >= 32
    assert token_of(layout) == token
    assert (layout.data / "console-token").stat().st_mode & 0o777 == 0o600


def test_brokers_elsewhere_are_named(layout):
    told = {"": {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "orders": {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
            "users": {"KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092", "DATABASE_URL": "postgresql://x"}}  # fmt: skip
    (layout.data / RUNNING_HERE.name).write_text(json.dumps(told))
    addresses = Addresses(layout)
    assert addresses.elsewhere("orders") == ""
    assert addresses.elsewhere("users") == "kafka.example:9092"
    assert addresses.databases() == {"users": "postgresql://x"}


def test_a_number_that_is_none_leaves_the_others():
    broken = 'circuit_breaker_state{name="a"} NaN\ncircuit_breaker_rejected_total{name="b"} +Inf\n'
    found = gauges_of([("one", samples_of(broken + METRICS)), ("two", samples_of("consumer_lag_seconds NaN\n"))])
    assert found.breakers == gauges_of([("one", samples_of(METRICS))]).breakers
