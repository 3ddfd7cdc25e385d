"""How commands print: tables for people, JSON for programs, by the one option ``--output``."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

output_option = click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Output format.",
)


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, output: str, empty: str) -> None:
    """Rows as a table of some columns, or all of them as a JSON list. ``empty`` is said of no rows."""
    if output == "json":
        click.echo(json.dumps(list(rows), indent=2, ensure_ascii=False))
        return
    if not rows:
        click.echo(empty)
        return
    table = [[name.upper() for name in columns], *([str(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[number]) for line in table) for number in range(len(columns))]
    for line in table:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
