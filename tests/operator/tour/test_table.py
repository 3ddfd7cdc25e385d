from slipway_operator.tour.measuring import Measured
from slipway_operator.tour.table import markdown, table

WITH = Measured({"sent": 120, "answered": 120, "lost": 0}, {"GET /": 12})
WITHOUT = Measured({"sent": 7, "answered": 5, "lost": 2}, {"GET /": 10022, "GET /sign-up": 7})


def test_both_runs_stand_side_by_side():
    assert table(WITH, WITHOUT, "en").splitlines() == [
        "                         with   without",
        "  requests                120         7",
        "  answered                120         5",
        "  orders lost               0         2",
        "  GET / p50, ms            12     10022",
        "  GET /sign-up p50, ms      -         7",
    ]


def test_chinese_characters_take_two_places():
    shown = table(WITH, WITHOUT, "zh").splitlines()

    widths = {sum(2 if ord(sign) > 0x2E7F else 1 for sign in line) for line in shown}
    assert len(widths) == 1
    assert shown[0].split() == ["有", "没有"]


def test_what_did_not_happen_in_either_run_has_no_row():
    assert "orders lost" not in table(Measured({"lost": 0}), Measured({"lost": 0}), "en")


def test_a_page_has_the_counts_and_no_times():
    assert markdown(WITH, WITHOUT, "en").splitlines() == [
        "| | with | without |",
        "|---|---:|---:|",
        "| requests | 120 | 7 |",
        "| answered | 120 | 5 |",
        "| orders lost | 0 | 2 |",
    ]
