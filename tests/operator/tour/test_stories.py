import json

import pytest

from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.tour import stories
from slipway_operator.tour.stories import Stories, in_detail

LOGS = ("gateway", "orders-http", "orders-worker")
ORDER = "0198c0de-7a1b-7c3d-9e2f-6f0a1b2c3d4e"


@pytest.fixture(name="layout")
def _layout(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "gateway").mkdir()
    return Layout(tmp_path, gateway=0, base=0)


def write(layout, log, **fields):
    file = layout.data / "gateway" / "envoy.log" if log == "gateway" else layout.logs / f"{log}.log"
    with file.open("a") as lines:
        lines.write(json.dumps(fields) + "\n")


def tell(layout, *, trace):
    write(layout, "gateway", **{"http.request.id": "r-1"})
    write(layout, "orders-http", **{"http.request.id": "r-1"} | ({"trace.id": "t-1"} if trace else {}))
    write(layout, "orders-worker", message=f"sent {ORDER}", **{"trace.id": "t-1"})


def test_an_order_is_told_when_its_lines_lead_from_log_to_log(layout):
    told = Stories(layout, LOGS)
    assert told.untold([ORDER]) == 1

    tell(layout, trace=True)

    assert told.untold([ORDER]) == 0
    assert told.untold([ORDER, "another"]) == 1


def test_without_the_trace_in_one_log_the_way_ends_there(layout):
    told = Stories(layout, LOGS)

    tell(layout, trace=False)

    assert told.untold([ORDER]) == 1


def test_lines_from_before_do_not_count(layout):
    tell(layout, trace=True)

    assert Stories(layout, LOGS).untold([ORDER]) == 1


def test_what_services_told_before_comes_back(layout, monkeypatch):
    monkeypatch.setattr(stories, "LOOK_SECONDS", 0)
    of = {name: layout.levels(name) for name in ("orders", "users", "inventory")}
    of["orders"].parent.mkdir()
    of["orders"].write_text("LOG_LEVEL=ERROR")

    with pytest.raises(KeyboardInterrupt), in_detail(layout, ["orders-http", "inventory-worker"], list(of)):
        assert of["orders"].read_text() == of["inventory"].read_text() == "LOG_LEVEL=DEBUG"
        assert not of["users"].exists()
        raise KeyboardInterrupt

    assert of["orders"].read_text() == "LOG_LEVEL=ERROR"
    assert of["inventory"].read_text() == ""
