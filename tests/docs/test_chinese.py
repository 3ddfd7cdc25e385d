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
