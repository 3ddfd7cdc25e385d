"""Tables of pages whose rows runs have written, by `make bench FIGURES=write` and `make chaos FIGURES=write`.

They stand in both languages. A row is found again by its first cell; a run of a part leaves the others as they are.
"""

import os
import platform

from support.repository import ROOT

BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->"
LANGUAGES = ("", ".zh-CN")


def wanted():
    return os.environ.get("FIGURES") == "write"


def machine():
    """What figures depend on most, in one cell."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def rows(text):
    """Cells of the rows between the marks, without the heads."""
    lines = text.partition(BEGIN)[2].partition(END)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def merged(text, new):
    """``text`` with these rows, in the place of those with the same first cell, else behind the others."""
    before, _, rest = text.partition(BEGIN)
    head = rest.splitlines(keepends=True)[:2]
    kept = {cells[0]: cells for cells in rows(text)} | {cells[0]: cells for cells in new}
    lines = [f"| {' | '.join(cells)} |\n" for cells in kept.values()]
    return before + BEGIN + "".join([*head, *lines]) + END + rest.partition(END)[2]


def write(name, new):
    """``name``: of the page in docs, without its ending; ``new``: rows, each a list of cells."""
    for language in LANGUAGES:
        page = ROOT / "docs" / f"{name}{language}.md"
        page.write_text(merged(page.read_text(), new))
