"""Logs of many processes as one story."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_operator.runtimes.local.log_files import LONGEST_READ, LogFile
from slipway_operator.runtimes.local.log_lines import LONGEST_LINE, About, Choice, in_order, lines_of

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def line(seconds=0, service="orders", level="info", message="said", **fields):
    at = (NOON + timedelta(seconds=seconds)).isoformat()
    return json.dumps(
        {"@timestamp": at, "service.name": service, "log.level": level, "message": message}
        | {name.replace("_", "."): value for name, value in fields.items()}
    )


def read(source, *texts):
    return list(lines_of(source, texts))


def test_lines_of_all_logs_stand_in_the_order_of_their_time_and_those_without_one_behind_the_one_before():
    orders = read("orders-http", line(0, message="a"), "Traceback", line(2, message="c"))
    users = read("users-http", line(1, message="b"))
    assert [each.fields.get("message", each.text) for each in in_order([*users, *orders])] == [
        "a",
        "Traceback",
        "b",
        "c",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[2026-01-31 12:00:01,500] INFO [KafkaServer] started",
        "2026-01-31T12:00:01,500 INFO started",
        "2026-01-31 12:00:01.500 UTC [7] LOG: ready",
    ],
)
def test_lines_of_kafka_and_postgresql_have_their_time(text):
    [found] = read("kafka", text)
    assert found.at.replace(tzinfo=UTC) == NOON + timedelta(seconds=1.5)


def test_a_word_finds_the_lines_of_its_requests_in_all_processes():
    """Envoy knows the request alone, a relay the trace alone, and the line between has both."""
    story = read(
        "all",
        line(0, "gateway", http_request_id="r-1"),
        line(1, "orders", http_request_id="r-1", trace_id="t-1", message="placed o-1"),
        line(2, "orders", trace_id="t-1", message="sent"),
        line(3, "users", trace_id="t-1", message="applied"),
        line(4, "gateway", http_request_id="r-2"),
        line(5, "orders", http_request_id="r-2", trace_id="t-2", message="placed o-2"),
        "a line without JSON about o-1",
    )
    for word in ("o-1", "r-1", "t-1"):
        about = About(word)
        about.learn(story)
        assert [about.takes(each) for each in story[:6]] == [True] * 4 + [False] * 2
    assert About("o-1").takes(story[6])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), "abcd"),
        (Choice(services=["users"]), "b"),
        (Choice(services=["orders"]), "acd"),
        (Choice(level="warning"), "c"),
        (Choice(since=NOON + timedelta(seconds=2)), "cd"),
    ],
)
def test_lines_are_chosen(choice, expected):
    lines = read("orders-http", line(0, message="a"), line(2, level="ERROR", message="c"))
    lines += read("users-http", line(1, "users", message="b"))
    lines += read("orders-relay", line(3, message="d", level="of another kind"))
    assert "".join(each.fields["message"] for each in in_order(lines) if choice.takes(each)) == expected


@given(st.text(max_size=200))
def test_any_line_is_shown(text):
    for each in read("x", text, '{"message": ' + json.dumps(text) + "}", f'{{"@timestamp": {json.dumps(text)}}}'):
        assert isinstance(each.for_people(), str)
        assert Choice(level="info").takes(each)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"message": "' + "x" * 1_000_000 + '"}', "[]", "7"]
)
def test_lines_that_are_no_object_are_text(text):
    [each] = read("x", text)
    assert each.fields == {}
    assert len(each.text) <= LONGEST_LINE


def test_a_log_is_followed_by_whole_lines_and_begins_anew_when_it_was_emptied(tmp_path):
    path = tmp_path / "orders-http.log"
    path.write_bytes(b"one\ntw")
    log = LogFile(path, "orders-http")
    assert [each.text for each in log.read()] == ["one"]
    path.write_bytes(b"one\ntwo\n\xff\n")
    assert [each.text for each in log.read()] == ["two", "�"]
    path.write_bytes(b"new\n")
    assert [each.text for each in log.read()] == ["new"]
    path.unlink()
    assert log.read() == []


def test_of_a_long_log_the_end_is_read(tmp_path):
    path = tmp_path / "orders-http.log"
    with path.open("wb") as file:
        file.seek(3 * LONGEST_READ)
        file.write(b"\nlast\n")
    log = LogFile(path, "orders-http")
    assert [each.text for each in log.read()][-1] == "last"
    assert log.cut == 2 * LONGEST_READ + 6


@pytest.mark.parametrize("text", [
    "0001-01-01 00:00:00.000 x", "9999-12-31 23:59:59.999 UTC x", '{"@timestamp": "9999-12-31T23:59:59-23:59"}',
    '{"@timestamp": "0001-01-01T00:00:00+23:59"}', '{"@timestamp": "0001-01-01T00:00:00"}',
])  # fmt: skip
def test_a_time_at_the_end_of_the_calendar_is_none(text):
    """One such line of anybody would end slipway logs, and every search of the console."""
    before, line = lines_of("orders", ["2026-01-31 12:00:00.123 UTC first", text])
    assert line.at == before.at
    assert in_order([line, before])
    assert line.for_people()


def test_a_line_steers_no_terminal_and_forges_no_other_line():
    message = "GET /\x1b]0;owned\x07\n00:00:02.000  orders http  info  forged\u2028x\ud800"
    stack = "Traceback\n00:00:02.000  orders http  info  forged\x1b[2J"
    [line] = lines_of("orders", [json.dumps({"message": message, "error.stack_trace": stack})])
    first, *others = line.for_people().split("\n")
    assert all(each.startswith("    ") for each in others)
    assert len(others) == 2
    for each in (first, *others):
        assert each.isprintable()
        each.encode()
    [plain] = lines_of("orders", ["a\x1b[2Jb\x0cc"])
    assert plain.for_people().isprintable()
