"""The command ``slipway``. Packages add commands by the entry-point group ``slipway.commands``.

Exit codes: 0 success; 1 failure, with the reason on standard error; 2 usage error; 3 a dependency (PostgreSQL, Kafka,
an issuer) is unavailable: the same call may succeed later.
"""

import sys
from importlib.metadata import entry_points

import click

from .. import __version__
from ..errors import ChassisError

EXIT_ERROR, EXIT_AWAY = 1, 3


class Commands(click.Group):
    """Commands of installed packages: loaded only when named, so that ``slipway --help`` is quick."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return sorted(point.name for point in entry_points(group="slipway.commands"))

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        for point in entry_points(group="slipway.commands", name=name):
            command: click.Command = point.load()
            return command
        return None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 success, 1 failure, 2 usage error, 3 a dependency is unavailable: retry later.",
)
@click.version_option(__version__, prog_name="slipway")
def cli() -> None:
    """Develop and release Python microservices."""


def main() -> None:
    """Runs the command; an error of ours is one sentence on standard error."""
    try:
        cli()
    except ChassisError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_AWAY if error.retriable else EXIT_ERROR)


if __name__ == "__main__":
    main()
