"""What ``slipway load`` and ``slipway fault`` refuse; what they do: tests/operator/local/test_release_under_load."""

import pytest
from click.testing import CliRunner

from slipway_chassis.errors import ChassisError
from slipway_operator.tour.by_hand import _table, fault, load
from slipway_operator.tour.measuring import Measured


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "3m"], "a time from 1s to 120s"),
        (["--for", "soon"], "'soon' is no duration"),
        (["--customers", "65"], "65 is not in the range 1<=x<=64"),
        (["DELETE /v1/orders"], "requests: 'DELETE /v1/orders' is neither GET with a path nor POST /v1/orders"),
        (["http://example.org/"], "requests: 'GET http://example.org/' is neither"),
        (["/a\r\nHost: x"], "requests: "),
        (["--order", "tea; drop", "POST /v1/orders"], "order: String should match pattern"),
        (["/"] * 21, "requests: Tuple should have at most 20 items"),
    ],
)
def test_a_load_that_is_none_is_told(words, said):
    done = CliRunner().invoke(load, words)

    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"placed": 7, "lost": 2}, "7 orders were accepted, 2 of them are lost"),
        ({"placed": 7, "stranded": 3}, "7 orders were accepted, 3 items are held for none"),
        ({"sent": 7}, "given up"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_became_of_orders_is_the_last_line(counts, said):
    assert said in _table(Measured(counts), []).splitlines()[-1]


@pytest.mark.parametrize(
    "command", [(load, ["/"]), (fault, ["kill", "orders.http"]), (fault, ["restart", "x.y"]), (fault, ["poison", "x"])]
)
def test_nothing_happens_where_nothing_runs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(*command)

    assert isinstance(done.exception, ChassisError)
    assert "nothing runs here" in str(done.exception)
