"""The command ``slipway``. Packages add commands by the entry-point group ``slipway.commands``."""

import sys
from importlib.metadata import entry_points

import click

from . import __version__
from .errors import ChassisError

EXIT_ERROR = 1


class _Commands(click.Group):
    """Commands of installed packages: loaded only when named, so that ``slipway --help`` is quick."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return sorted(point.name for point in entry_points(group="slipway.commands"))

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        for point in entry_points(group="slipway.commands", name=name):
            command: click.Command = point.load()
            return command
        return None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="slipway")
def cli() -> None:
    """Develop and release Python microservices."""


def main() -> None:
    """Runs the command; an error of ours is one sentence on standard error and exit code 1."""
    try:
        cli()
    except ChassisError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_ERROR)
