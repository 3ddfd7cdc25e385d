"""``slipway contracts``: what a service promises, as files, and whether a change keeps the promise."""

from pathlib import Path

import click

from slipway_contracts.cli.check import check
from slipway_contracts.cli.failure import told
from slipway_contracts.cli.push import push
from slipway_contracts.consumes import consumes_of
from slipway_contracts.errors import UnreadableContracts

from .output import output_option, show


@click.group()
def contracts() -> None:
    """Export and compare the contracts of services: APIs and events."""


@contracts.command()
@click.argument("module")
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), default="contracts", show_default=True)
@click.option(
    "--project",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The pyproject.toml whose [tool.slipway.consumes] declares what the service relies on.",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 if the files are not up to date.")
@output_option
@told()
def export(module: str, to: Path, project: Path | None, output: str, *, only_check: bool) -> None:
    """Write OpenAPI, AsyncAPI, the JSON Schemas of events and protobuf descriptors of the service in MODULE.

    \b
    Examples:
      slipway contracts export orders --to services/orders/contracts --project services/orders/pyproject.toml
      slipway contracts export orders --to services/orders/contracts --check
    """  # noqa: D301
    # What reads a whole service is not needed to compare files.
    from .exporting import contracts_of, stale  # noqa: PLC0415
    from .exporting import export as write  # noqa: PLC0415
    from .run import find_service  # noqa: PLC0415

    made = contracts_of(find_service(module), consumes_of(project) if project else None)
    if only_check:
        old = stale(made, to)
        if old:
            raise UnreadableContracts(f"{to / old[0]} is not what {module} promises now. Export it again")
        return
    rows = [{"file": str(path), "bytes": path.stat().st_size} for path in write(made, to)]
    show(rows, ["file", "bytes"], output=output, empty="")


contracts.add_command(check)
contracts.add_command(push)
