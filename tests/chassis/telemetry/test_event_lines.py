"""What a log says of events: a line per event at debug, with the trace of the request that it came of."""

import json
import logging
import subprocess
import sys

import pytest

from slipway_chassis.events.dead_letters import failure_of, publish_dead_letters
from slipway_chassis.events.ports import Record
from slipway_chassis.events.relay import OutboxRow, Relay
from slipway_chassis.testing.broker import MemoryBroker

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-00"
LINES = f"""
import logging
from slipway_chassis.telemetry.correlation import span
from slipway_chassis.telemetry.logs import configure_logs, event_fields
configure_logs("orders", process="relay", version="1", level="DEBUG")
with span("poll"):
    logging.getLogger("t").info("of an event", extra=event_fields(7, "orders.OrderPlaced.v1", "k", "{TRACEPARENT}"))
    logging.getLogger("t").info("of an event without a trace", extra=event_fields(7, "orders.OrderPlaced.v1", "k", "x"))
"""


def rows(*keys):
    return [
        OutboxRow(n, f"id-{n}", "orders.order.v1", key, 1, "orders.OrderPlaced.v1", "/orders", TRACEPARENT, "{}", "", 0)
        for n, key in enumerate(keys)
    ]


@pytest.mark.parametrize(("level", "count"), [("DEBUG", 2), ("INFO", 0)])
def test_a_relay_tells_of_each_event_at_debug_alone(caplog, level, count):
    caplog.set_level(level, "slipway_chassis.events")
    Relay(None, MemoryBroker().publisher())._publish(rows("a", "b"))

    told = [line for line in caplog.records if line.getMessage().startswith("sent ")]
    assert len(told) == count
    for line, key in zip(told, "ab", strict=False):
        assert line.getMessage() == f"sent orders.OrderPlaced.v1 of {key} to orders.order.v1"
        assert line.__dict__["trace.id"] == TRACE
        assert line.__dict__["labels.aggregate_id"] == key


@pytest.mark.parametrize("traceparent", [b"", b"\xff", b"00-" + b"0" * 60, b"x" * 100_000])
def test_a_record_of_anything_is_told_of(caplog, traceparent):
    caplog.set_level(logging.ERROR, "slipway_chassis.events")
    headers = (("traceparent", traceparent), ("ce_id", b"7"), ("ce_type", b"x" * 100_000))
    record = Record(topic="in", key=b"\xff", value=None, headers=headers)

    publish_dead_letters(MemoryBroker().publisher(), [failure_of(record, ValueError("no"), attempts=1)], [0], group="g")

    [line] = caplog.records
    assert line.__dict__["event.id"] == "7"
    assert len(line.__dict__["event.action"]) == 200
    assert "trace.id" not in line.__dict__


def test_a_line_of_an_event_has_its_trace_and_others_that_of_the_work_in_hand():
    done = subprocess.run([sys.executable, "-c", LINES], capture_output=True, text=True, check=True, timeout=60)
    first, second = (json.loads(line) for line in done.stdout.splitlines())

    assert (first["trace.id"], first["span.id"], first["event.action"]) == (TRACE, SPAN, "orders.OrderPlaced.v1")
    assert len(second["trace.id"]) == 32
    assert second["trace.id"] != TRACE
