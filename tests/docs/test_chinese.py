"""Pages in Chinese: their marks are those of Chinese."""

import re

import pytest

from support.repository import ROOT, tracked

PAGES = tracked("*.zh-CN.md")
CHINESE = r"[\u4e00-\u9fff]"
# Beside a Chinese character these marks are written in full width.
HALF_WIDTH = re.compile(rf"{CHINESE}[,:;?!()]|[,;?!()]{CHINESE}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_marks_are_of_full_width(page):
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|<!--.*?-->", "", page.read_text(), flags=re.DOTALL)

    assert not HALF_WIDTH.findall(prose)


def test_marks_of_half_width_are_noticed():
    assert HALF_WIDTH.findall("你好,世界(见下)") == ["好,", "界(", "下)"]


def shape(text):
    """What both languages share: headings by level, rows of tables, items, commands, and what is linked outside."""
    lines = re.sub(r"```.*?```", "```", text, flags=re.DOTALL).splitlines()
    marks = [found[1] for line in lines if (found := re.match(r"(#+ |\| |- |\d+\. |```)", line))]
    return marks, re.findall(r"\]\((https?://[^)]+)\)", text.replace("/zh-cn/", "/"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_both_languages_have_the_same_sections_rows_and_sources(page):
    english = page.with_name(page.name.replace(".zh-CN", ""))
    assert shape(page.read_text()) == shape(english.read_text())
