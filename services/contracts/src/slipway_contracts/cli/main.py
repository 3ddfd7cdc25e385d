"""The command ``slipway-contracts``, for pipelines of any language."""

import click

from .check import check
from .push import push


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="slipway-contracts")
def cli() -> None:
    """Compare the contracts of services: APIs and events. What exports them is slipway-chassis."""


cli.add_command(check)
cli.add_command(push)
