"""The two runs of a lesson side by side, in the reader's language."""

import unicodedata
from collections.abc import Sequence

from .measuring import Measured
from .relations import COUNTS
from .texts import Language
from .words import word


def rows(with_it: Measured, without_it: Measured, language: Language) -> list[tuple[str, str, str]]:
    """What was counted in either run, where it happened in one of them, and the median times below."""
    found = [
        (word(name, language), str(with_it.counts.get(name, 0)), str(without_it.counts.get(name, 0)))
        for name in COUNTS
        if with_it.counts.get(name) or without_it.counts.get(name)
    ]
    requests = dict.fromkeys([*with_it.p50, *without_it.p50])
    found += [
        (
            word("p50", language).format(request),
            str(with_it.p50.get(request, "-")),
            str(without_it.p50.get(request, "-")),
        )
        for request in requests
    ]
    return found


def table(with_it: Measured, without_it: Measured, language: Language) -> str:
    """Columns stand below each other also where characters take two places."""
    lines = [("", word("with", language), word("without", language)), *rows(with_it, without_it, language)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths) for line in lines)


def markdown(with_it: Measured, without_it: Measured, language: Language) -> str:
    """The counts alone, for a page: times differ between machines."""
    head = f"| | {word('with', language)} | {word('without', language)} |\n|---|---:|---:|\n"
    counted = rows(Measured(with_it.counts), Measured(without_it.counts), language)
    return head + "\n".join(f"| {' | '.join(row)} |" for row in counted)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell + pad if number == 0 else pad + cell
        for number, (cell, pad) in enumerate(
            (cell, " " * (width - _width(cell))) for cell, width in zip(cells, widths, strict=True)
        )
    )
    return "  " + "   ".join([first, *others])


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
