import json
import logging
import random
import threading
import time

import pytest
from prometheus_client import CollectorRegistry
from pydantic import Field

from slipway_chassis import deadline
from slipway_chassis.errors import DatabaseUnavailable
from slipway_chassis.http import Api, Input, Output
from slipway_chassis.service import service
from slipway_chassis.telemetry.correlation import current_traceparent
from slipway_chassis.telemetry.health import Health
from slipway_chassis.telemetry.logs import configure_logs, log_access


class Thing(Input):
    name: str = Field(min_length=1)
    size: int


class ThingView(Output):
    name: str
    size: int


class ThingMissing(Exception):
    pass


@pytest.fixture(scope="module", name="health")
def _health():
    return Health({})


@pytest.fixture(scope="module", name="registry")
def _registry():
    return CollectorRegistry()


class Text(Output):
    text: str | None


@pytest.fixture(scope="module", name="client")
def _client(health, registry):
    api = Api("v1")

    @api.post("/things")
    def create(body: Thing) -> ThingView:
        return ThingView.model_validate(body)

    @api.get("/things/<int:number>")
    def show(number: int) -> Text:
        raise ThingMissing(f"There is no thing {number}.")

    @api.delete("/things/<int:number>")
    def delete(number: int) -> None:
        assert number

    @api.get("/trace")
    def trace() -> Text:
        return Text(text=current_traceparent())

    @api.get("/deadline")
    def left() -> Text:
        return Text(text=str(deadline.remaining()))

    @api.get("/away")
    def away() -> Text:
        raise DatabaseUnavailable("PostgreSQL: secret host is down")

    @api.get("/broken")
    def broken() -> Text:
        raise RuntimeError("a secret detail")

    declared = service("things", apis=[api], problems={ThingMissing: 404})
    return declared.build_app(health=health, registry=registry).test_client()


def problem(response):
    assert response.content_type == "application/problem+json"
    body = response.get_json(force=True)
    assert body["status"] == response.status_code
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert "Traceback" not in response.text
    return body


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"name": "\xff", "size": 1}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"", None, 415),
        (b'{"name": "x"}', "application/json", 422),
        (b'{"name": "", "size": 1}', "application/json", 422),
        (b'{"name": "x", "size": "1"}', "application/json", 422),
        (b'{"name": "x", "size": 1.5}', "application/json", 422),
        (b'{"name": "x", "size": 1, "colour": "red"}', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'{"name": "' + b"x" * 1024 * 1024 + b'", "size": 1}', "application/json", 413),
    ],
)
def test_bad_input_gets_a_problem(client, data, content_type, status):
    response = client.post("/things", data=data, content_type=content_type)

    assert response.status_code == status
    problem(response)


def series_of(registry):
    return sum(len(metric.samples) for metric in registry.collect())


def test_made_up_methods_are_refused_and_not_counted(client, registry):
    before = series_of(registry)
    for number in range(50):
        assert client.open("/things", method=f"MADEUP{number}").status_code == 501

    assert series_of(registry) == before


def test_a_nul_character_is_a_wrong_field(client):
    assert client.post("/things", json={"name": "a\x00b", "size": 1}).status_code == 422


def test_a_wrong_field_is_pointed_at(client):
    response = client.post("/things", json={"name": "x", "size": "big"})

    assert problem(response)["errors"] == [{"pointer": "/size", "detail": "Input should be a valid integer"}]


def test_good_input_is_taken(client):
    response = client.post("/things", json={"name": " x ", "size": 1})

    assert (response.status_code, response.get_json()) == (201, {"name": "x", "size": 1})


def test_a_service_error_has_its_status_and_sentence(client):
    assert problem(client.get("/things/7"))["detail"] == "There is no thing 7."


def test_an_unknown_path_and_method_are_problems(client):
    assert problem(client.get("/nowhere"))["status"] == 404
    assert client.delete("/things").headers["Allow"]


def test_an_absent_dependency_is_503_with_retry_after_and_no_detail(client):
    response = client.get("/away")

    assert problem(response)["status"] == 503
    assert response.headers["Retry-After"] == "1"
    assert "secret" not in response.text


def test_an_unexpected_error_is_logged_and_not_shown(client, caplog):
    with caplog.at_level(logging.ERROR):
        response = client.get("/broken")

    assert problem(response)["status"] == 500
    assert "secret" not in response.text
    assert "a secret detail" in caplog.text


def test_a_trace_is_taken_over_or_begun(client):
    ours = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    assert client.get("/trace", headers={"traceparent": ours}).get_json()["text"] == ours
    assert client.get("/trace", headers={"traceparent": "nonsense"}).get_json()["text"].startswith("00-")
    assert client.get("/trace", headers={"X-Request-Id": "mine"}).headers["X-Request-Id"] == "mine"
    assert client.get("/trace", headers={"X-Request-Id": "a b\u00e4d"}).headers["X-Request-Id"] != "a bäd"


def test_liveness_asks_nobody_and_readiness_follows_the_health(client, health):
    assert client.get("/healthz").get_json() == {"status": "alive"}
    assert client.get("/readyz").status_code == 200
    health.drain_when(lambda: True)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_random_paths_add_no_metric_series(client, registry):
    client.get("/random/0")
    before = series_of(registry)
    for number in range(10_000):
        client.get(f"/random/{number}/{random.randrange(10**9)}?q={number}")

    assert series_of(registry) == before


def test_logs_are_json_with_the_trace(client, capsys, eventually):
    root = logging.getLogger()
    saved = root.handlers[:]
    try:
        configure_logs("things", process="http", version="1", level="INFO")
        client.get("/trace", headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
        line = json.loads(eventually(lambda: capsys.readouterr().out).splitlines()[-1])
    finally:
        root.handlers[:] = saved
    assert line["log.level"] == "info"
    assert line["trace.id"] == "0af7651916cd43dd8448eb211c80319c"
    assert line["http.response.status_code"] == 200
    assert line["service.name"] == "things"


def test_nothing_returned_is_204(client):
    response = client.delete("/things/7")

    assert (response.status_code, response.data) == (204, b"")


def test_a_deadline_is_taken_from_the_caller(client):
    left = client.get("/deadline", headers={"X-Request-Deadline": f"{time.time() + 5:.3f}"}).get_json()["text"]

    assert 0 < float(left) < 5.01  # the header is rounded to milliseconds
    assert client.get("/deadline").get_json()["text"] == "None"


def test_a_deadline_that_is_over_is_504_and_the_handler_does_not_run(client):
    response = client.get("/broken", headers={"X-Request-Deadline": f"{time.time() - 1:.3f}"})

    assert problem(response)["status"] == 504


@pytest.mark.parametrize("wrong", ["soon", "-1", "nan", "inf", "1e9", "1" * 40, "", "1_0"])
def test_a_malformed_deadline_is_a_problem(client, wrong):
    response = client.get("/deadline", headers={"X-Request-Deadline": wrong})

    assert "X-Request-Deadline must be seconds" in problem(response)["detail"]


def test_an_error_is_written_behind_what_waited_before_it(client, capsys):
    root = logging.getLogger()
    saved = root.handlers[:]
    try:
        configure_logs("things", process="http", version="1", level="INFO")
        client.get("/trace")
        logging.getLogger("x").warning("after it")
        lines = [json.loads(line)["message"] for line in capsys.readouterr().out.splitlines()]
    finally:
        root.handlers[:] = saved
    assert lines == ["GET /trace 200", "after it"]


def test_access_lines_and_other_lines_have_the_same_keys(client, capsys):
    """The access line is made by hand; what every line has must be on both."""
    root = logging.getLogger()
    saved = root.handlers[:]
    try:
        configure_logs("things", process="http", version="1", level="INFO")
        client.get("/broken")  # an access line, and before it an error within the request
        logging.getLogger("x").info("flush")
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    finally:
        root.handlers[:] = saved
    [error] = [line for line in lines if line["message"] == "unexpected error"]
    [access] = [line for line in lines if line["message"] == "GET /broken 500"]

    of_access = {"http.request.method", "url.path", "http.response.status_code", "event.duration"}
    assert access.keys() - of_access == error.keys() - {"error.stack_trace"}
    assert {name: access[name] for name in ("trace.id", "span.id", "http.request.id")} == {
        name: error[name] for name in ("trace.id", "span.id", "http.request.id")
    }


def wait_for_lines(eventually, capsys, count):
    written = []
    eventually(lambda: written.append(capsys.readouterr().out) or "".join(written).count("\n") == count, within=10)


def test_lines_of_many_threads_at_the_same_time_are_all_written(capsys, eventually):
    root = logging.getLogger()
    saved = root.handlers[:]
    try:
        for _ in range(20):  # each begins cold: the writer's thread is started by one of them
            configure_logs("things", process="http", version="1", level="INFO")
            together = threading.Barrier(8)

            def write(together=together):
                together.wait()
                log_access("GET / 200", nanoseconds=1, fields={})

            threads = [threading.Thread(target=write) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            wait_for_lines(eventually, capsys, 8)
    finally:
        root.handlers[:] = saved


def test_the_detail_of_a_refused_row_is_not_logged(client, capsys):
    root = logging.getLogger()
    saved = root.handlers[:]
    try:
        configure_logs("things", process="http", version="1", level="INFO")
        error = ValueError("duplicate key\nDETAIL:  Key (email)=(ada@example.org) already exists.")
        logging.getLogger("x").error("unexpected error", exc_info=error)
        line = json.loads(capsys.readouterr().out)
    finally:
        root.handlers[:] = saved
    assert "ada@example.org" not in line["error.stack_trace"]
