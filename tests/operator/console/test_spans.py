"""One order's way, from the lines about it."""

import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from slipway_operator.console.spans import MOST_SPANS, spans_of

EVENT = "0198c0de-7a1b-7c3d-9e2f-6f0a1b2c3d4e"  # made at 2025-08-19T11:32:06.555Z, its first 48 bits say
POST = {"http.request.method": "POST"}
MADE = int("0198c0de7a1b", 16) / 1000


def line(at, service, logger, **more):
    from datetime import UTC, datetime  # noqa: PLC0415 # only here

    moment = datetime.fromtimestamp(at, UTC).isoformat()
    return {"@timestamp": moment, "service.name": service, "log.logger": logger, "message": "said", **more}


def times(span):
    return round(span.began - MADE, 3), round(span.ended - MADE, 3)


def test_a_way_over_gateway_http_outbox_and_kafka():
    relay = {"event.id": EVENT, "event.action": "orders.OrderPlaced.v1", "process.title": "worker"}
    gateway, http, grpc, outbox, kafka = spans_of(
        [
            line(MADE + 0.3, "users", "slipway_chassis.events.batch", **relay),
            line(MADE + 0.1, "orders", "slipway_chassis.events.relay", **relay),
            line(MADE - 0.05, "gateway", "slipway.access", **{"event.duration": 80_000_000, **POST}),
            line(MADE + 0.02, "orders", "slipway.access", **{"event.duration": 60_000_000, **POST}),
            line(MADE + 0.01, "inventory", "slipway.access", **{"event.duration": 20_000_000, "rpc.method": "/R"}),
        ]
    )  # fmt: skip
    assert [one.kind for one in (gateway, http, grpc, outbox, kafka)] == ["gateway", "http", "grpc", "outbox", "kafka"]
    assert times(gateway) == (-0.05, 0.03)  # Envoy writes the beginning
    assert times(http) == (-0.04, 0.02)  # the chassis writes the end
    assert times(outbox) == (0.0, 0.1)  # from the event's own time to the broker's acknowledgement
    assert times(kafka) == (0.1, 0.3)  # and from there to the consumer
    assert (kafka.service, kafka.process, kafka.name) == ("users", "worker", "orders.OrderPlaced.v1")


def test_what_failed_is_marked_and_a_line_has_no_duration():
    failed, said, bad = spans_of(
        [
            line(MADE, "orders", "slipway.access", **{"event.duration": 1, "http.response.status_code": 503}),
            line(MADE + 1, "orders", "orders.payments"),
            line(MADE + 2, "orders", "orders.payments", **{"log.level": "error"}),
        ]
    )
    assert (failed.failed, said.failed, bad.failed) == (True, False, True)
    assert said.kind == "line"
    assert said.began == said.ended


def test_lines_of_anybody_break_nothing_and_are_bounded():
    strange = [
        {},
        {"@timestamp": "yesterday"},
        {"@timestamp": 7, "event.duration": "long"},
        line(MADE, "orders", "slipway_chassis.events.relay", **{"event.id": "no uuid"}),
        line(MADE, "orders", "slipway_chassis.events.batch", **{"event.id": 17, "event.action": ["x"]}),
        line(MADE, "x" * 10_000, "slipway.access", **{"event.duration": True}),
    ]
    found = spans_of(strange)
    assert len(found) == 3
    assert max(len(span.service) for span in found) == 200
    assert all(span.ended >= span.began for span in found)
    assert len(spans_of([line(MADE + n, "orders", "x") for n in range(MOST_SPANS + 5)])) == MOST_SPANS


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()) | st.just(10**400)
)


@given(st.dictionaries(st.sampled_from(
    ["event.duration", "log.level", "http.response.status_code", "event.id", "log.logger", "service.name", "message"]
), ANYTHING), st.sampled_from(["slipway.access", "slipway_chassis.events.relay"]))  # fmt: skip
def test_whatever_a_line_says_a_page_can_show_it(fields, logger):
    """Anybody's process may write lines: a number that JSON does not have would leave the page without an answer."""
    found = spans_of([{"@timestamp": "2026-01-01T00:00:00Z", "log.logger": logger} | fields])
    json.dumps([asdict(one) for one in found], allow_nan=False)
