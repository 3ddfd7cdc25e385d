"""The pages of lessons: their headings, their commands, and the figures that a run writes into them."""

import re

from slipway_operator.tour.measuring import Measured
from slipway_operator.tour.table import rows
from slipway_operator.tour.words import word

PAGES = {"en": "README.md", "zh": "README.zh-CN.md"}
HEADINGS = {
    "en": [
        *("The problem", "The naive version", "Here", "See it"),
        *("Take it away", "Limits", "In production", "Exercises"),
    ],
    "zh": ["问题", "幼稚写法", "这里的做法", "看它工作", "拆掉它", "局限", "在生产环境", "练习"],
}
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->"


def headings(text):
    return re.findall(r"^## (.*)$", text, re.MULTILINE)


def blocks(text):
    """(language, content) of each block of code."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def figures(text):
    """The numbers that a run wrote; empty where none did."""
    return re.findall(r"\| (\d+) (?=\|)", text.partition(BEGIN)[2].partition(END)[0])


def markdown(result, language):
    """The counts alone: times differ between machines."""
    with_it, without_it = (
        Measured({name: count for name, count in result[side].items() if isinstance(count, int)})
        for side in ("with", "without")
    )
    head = f"| | {word('with', language)} | {word('without', language)} |\n|---|---:|---:|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows(with_it, without_it, language))


def write_figures(folder, result):
    """Into the page of each language."""
    for language, name in PAGES.items():
        page = folder / name
        before, _, rest = page.read_text().partition(BEGIN)
        page.write_text(before + BEGIN + markdown(result, language) + END + rest.partition(END)[2])
