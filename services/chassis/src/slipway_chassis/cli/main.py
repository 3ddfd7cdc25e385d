"""The command ``slipway``. Packages add commands by the entry-point group ``slipway.commands``.

Exit codes: 0 success; 1 failure, with the reason on standard error; 2 usage error; 3 a dependency (PostgreSQL, Kafka,
an issuer) is unavailable: the same call may succeed later.
"""

import sys
from importlib.metadata import entry_points

import click

from .. import __version__
from ..errors import ChassisError, ConfigurationError

EXIT_ERROR, EXIT_AWAY = 1, 3

# What brings a command that has more to import than the chassis needs, or lies in another package.
_ENGINE = dict.fromkeys(
    ("up", "release", "promote", "rollback", "status", "logs", "levels", "tour", "break", "mend", "backup"),
    "slipway-operator[local]",
)
BROUGHT_BY = _ENGINE | {"gateway": "slipway-gateway", "new": "slipway-chassis[new]"}


class Commands(click.Group):
    """Commands of installed packages: loaded only when named, so that ``slipway --help`` is quick."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return sorted(point.name for point in entry_points(group="slipway.commands"))

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        for point in entry_points(group="slipway.commands", name=name):
            try:
                command: click.Command = point.load()
            except ModuleNotFoundError as error:
                package = BROUGHT_BY.get(name, point.dist.name if point.dist else point.module.partition(".")[0])
                return _lacking(name, f"the package {error.name} is missing", package)
            return command
        if name in BROUGHT_BY:
            return _lacking(name, f"slipway {name} is not installed", BROUGHT_BY[name])
        return None


def _lacking(name: str, what: str, package: str) -> click.Command:
    """Stands for a command that can't run, with whatever options: so that the help of all others still comes."""

    def say(*_arguments: object, **_options: object) -> None:
        raise ConfigurationError(f"{what}: pip install '{package}'")

    arguments = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    taking_all = {"ignore_unknown_options": True, "help_option_names": []}
    short = f"Not installed: pip install '{package}'"
    return click.Command(name, callback=say, params=[arguments], short_help=short, context_settings=taking_all)


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
