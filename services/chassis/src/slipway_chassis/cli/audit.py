"""``slipway audit``: is anything lost, doubled or misordered?"""

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from ..audit import looking
from ..audit.declared import Audit, read
from ..config import DatabaseSettings, KafkaSettings, load_here
from .arguments import Duration
from .output import output_option, show

SHOWN = 20  # findings of a check that are printed


@click.command()
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("pyproject.toml"),
    show_default=True,
    help="What is compared: [tool.slipway.audit] of a pyproject.toml, or the same at the top of a TOML file.",
)
@click.option("--settle", type=Duration(), default="5s", help="Between two looks; what both see counts. Default: 5s.")
@output_option
def audit(file: Path, settle: timedelta, output: str) -> None:
    """Compare aggregates, events and projections; exit code 1 where something was found.

    It changes nothing and may run beside everything. Addresses are those of the `slipway up` in this folder, or
    of .slipway/environment.json: {"": {"KAFKA_BOOTSTRAP_SERVERS": "..."}, "orders": {"DATABASE_URL": "..."}}.

    \b
    Examples:
      slipway audit
      slipway audit --file audit.toml --settle 30s --output json
    """  # noqa: D301
    declared = read(file)
    broker = load_here(KafkaSettings) if declared.topics else None
    checked = looking.look(declared, _database, broker)
    if looking.all_findings(checked):
        time.sleep(settle.total_seconds())
        checked = looking.settled(checked, looking.look(declared, _database, broker))
    rows = [{"check": each.name, "of": each.of, "findings": each.findings.count} for each in checked]
    if output == "json":
        show([row | _details(each) for row, each in zip(rows, checked, strict=True)], [], output=output, empty="")
    else:
        show(rows, ["check", "of", "findings"], output=output, empty=_nothing(declared))
        _tell(checked)
    if any(each.findings.count for each in checked):
        sys.exit(1)


def _database(service: str) -> DatabaseSettings:
    return load_here(DatabaseSettings, service)


def _nothing(declared: Audit) -> str:
    return f"nothing is declared: {declared!r}"


def _details(each: looking.Checked) -> dict[str, Any]:
    return {"details": [{"subject": finding.subject, "what": finding.what} for finding in each.findings.kept]}


def _tell(checked: list[looking.Checked]) -> None:
    for each in checked:
        for finding in each.findings.kept[:SHOWN]:
            click.echo(f"{finding.check}: {finding.subject} {finding.what}")
        if each.findings.count > SHOWN:
            click.echo(f"{each.name}: and {each.findings.count - SHOWN} more (--output json)")
