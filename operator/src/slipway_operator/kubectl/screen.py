"""How it is printed: colours, width and live redrawing by rich; programs get JSON or YAML."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import click
import yaml
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .explaining import Explanation
from .text import clean
from .tree import ASCII, UNICODE, Drawing, Line, Mood

_STYLES = {Mood.GOOD: "green", Mood.BAD: "bold red", Mood.MOVING: "yellow", Mood.QUIET: "dim", Mood.PLAIN: ""}


class Teller(Protocol):
    def __call__(self, line: str) -> None: ...


class Screen:
    """Everything is passed as text without markup, so that nothing from the cluster is obeyed."""

    def __init__(self) -> None:
        self.out = Console(highlight=False, markup=False, emoji=False)
        self.err = Console(stderr=True, highlight=False, markup=False, emoji=False)

    @property
    def drawing(self) -> Drawing:
        return UNICODE if (self.out.encoding or "").lower().startswith("utf") else ASCII

    # --- for people
    def lines(self, drawn: Sequence[Line]) -> None:
        for line in drawn:
            self._line(_styled(line))

    def _line(self, text: Text) -> None:
        """A terminal cuts what is too wide; a file or a pipe gets all of it."""
        if self.out.is_terminal:
            self.out.print(text, no_wrap=True, overflow="ellipsis")
        else:
            self.out.print(text, soft_wrap=True)

    @contextmanager
    def live(self) -> "Iterator[LiveTree]":
        with Live(console=self.out, auto_refresh=False, vertical_overflow="ellipsis") as shown:
            yield LiveTree(shown)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], moods: Sequence[Mood] = ()) -> None:
        cells = [list(columns), *([clean(cell) for cell in row] for row in rows)]
        widths = [max(len(row[number]) for row in cells) for number in range(len(columns))]
        for number, row in enumerate(cells):
            text = "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            mood = moods[number - 1] if number and moods else Mood.PLAIN
            self._line(Text(text, "bold" if number == 0 else _STYLES[mood]))

    def explanation(self, said: Explanation) -> None:
        self._said(self.out, Text(said.headline, "bold"))
        width = max(len(command) for command, _ in [("", ""), *said.next])
        rows = [(word, Text(sentence)) for word, sentence in said.points]
        for number, (command, what) in enumerate(said.next):
            text = Text.assemble((command.ljust(width), "bold"), (f"  # {what}", "dim"))
            rows.append(("" if number else "next", text))
        if self.out.is_terminal:
            self._wrapped(rows)
        else:
            left = max((len(word) for word, _ in rows), default=0)
            for word, text in rows:
                self._line(Text.assemble(f"  {word.ljust(left)}  ", text))

    def _wrapped(self, rows: Sequence[tuple[str, Text]]) -> None:
        """Sentences go on below their beginning, however narrow the terminal is."""
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column()
        for word, text in rows:
            grid.add_row(f"  {word}", text)
        self.out.print(grid)

    def say(self, text: str) -> None:
        self._said(self.out, Text(clean(text)))

    def note(self, text: str) -> None:
        self._said(self.err, Text(clean(text), "dim"))

    def warn(self, text: str) -> None:
        self._said(self.err, Text(f"warning: {clean(text)}", "yellow"))

    @staticmethod
    def _said(console: Console, text: Text) -> None:
        console.print(text, soft_wrap=not console.is_terminal)

    @contextmanager
    def progress(self) -> Iterator[Teller]:
        """One line that changes, on a terminal; else a line for each change. On standard error."""
        if self.err.is_terminal:
            with self.err.status(Text("")) as spinner:
                yield lambda line: spinner.update(Text(clean(line, max(20, self.err.width - 4))))
            return
        last = ""

        def tell(line: str) -> None:
            nonlocal last
            if line != last:
                self.note(line)
            last = line

        yield tell


class LiveTree:
    """A tree that is drawn again in the same place."""

    def __init__(self, shown: Live) -> None:
        self._shown = shown

    def show(self, drawn: Sequence[Line], footer: str) -> None:
        rows = [_styled(line) for line in drawn]
        for row in rows:
            row.no_wrap, row.overflow = True, "ellipsis"
        self._shown.update(Group(*rows, Text(footer, "dim")), refresh=True)


def _styled(line: Line) -> Text:
    return Text.assemble((line.branch, "dim"), (line.text, _STYLES[line.mood] if line.branch else "bold"))


def data(content: Any, output: str) -> None:
    """For programs. Nothing in it is left that a terminal would act on: both formats escape it."""
    if output == "json":
        click.echo(json.dumps(content, indent=2))
    else:
        click.echo(yaml.safe_dump(content, sort_keys=False).rstrip())
