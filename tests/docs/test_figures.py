"""Tables that runs write into pages: a row is found again, a part leaves the others, in both languages the same."""

import pytest

from support.figure_tables import BEGIN, END, LANGUAGES, merged, rows
from support.repository import ROOT

PAGE = f"# A page\n\n{BEGIN}| Figure | Number |\n|---|---:|\n{END}\nMore.\n"


def test_a_run_fills_the_table_and_a_part_of_it_leaves_the_rest():
    once = merged(PAGE, [["P6 a / b", "0.9"], ["P7", "1.2"]])
    assert rows(once) == [["P6 a / b", "0.9"], ["P7", "1.2"]]
    again = merged(once, [["P7", "1.3"], ["P8", "4"]])
    assert rows(again) == [["P6 a / b", "0.9"], ["P7", "1.3"], ["P8", "4"]]
    assert again.startswith("# A page\n\n")
    assert again.endswith(f"{END}\nMore.\n")
    assert merged(again, []) == again


@pytest.mark.parametrize(("page", "columns"), [("performance", 6), ("reliability", 6)])
def test_a_page_has_the_figures_of_a_run_in_both_languages(page, columns):
    english, chinese = (rows((ROOT / "docs" / f"{page}{language}.md").read_text()) for language in LANGUAGES)
    assert english == chinese
    assert english, (
        f"no run has written docs/{page}.md: make {'bench' if page == 'performance' else 'chaos'} FIGURES=write"
    )
    assert {len(cells) for cells in english} == {columns}


def test_no_fault_at_random_did_harm():
    found = rows((ROOT / "docs/reliability.md").read_text())
    assert [cells[4] for cells in found if cells[4] != "0"] == []
