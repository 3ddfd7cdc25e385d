"""``slipway contracts``: what a service promises, as files."""

from pathlib import Path

import click

from ..contracts import export as export_files
from .output import output_option, show
from .run import find_service


@click.group()
def contracts() -> None:
    """What a service promises to those who call it and read its events."""


@contracts.command()
@click.argument("module")
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), default="contracts", show_default=True)
@click.option("--version", default="dev", show_default=True, help="The version written into the files.")
@output_option
def export(module: str, to: Path, version: str, output: str) -> None:
    """Write OpenAPI, AsyncAPI, the JSON Schemas of events and protobuf descriptors of the service in MODULE.

    \b
    Example:
      slipway contracts export orders --to build/contracts
    """  # noqa: D301
    written = export_files(find_service(module), version, to)
    rows = [{"file": str(path), "bytes": path.stat().st_size} for path in written]
    show(rows, ["file", "bytes"], output=output, empty=f"{module} promises nothing: no API, no events")
