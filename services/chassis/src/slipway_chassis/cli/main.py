"""The command ``slipway``. Packages add commands by the entry-point group ``slipway.commands``.

Exit codes: 0 success; 1 failure, with the reason on standard error; 2 usage error; 3 a dependency (PostgreSQL, Kafka,
an issuer) is unavailable: the same call may succeed later.
"""

import ast
import re
import sys
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points, requires
from importlib.util import find_spec
from pathlib import Path

import click

from .. import __version__
from ..errors import ChassisError, ConfigurationError

EXIT_ERROR, EXIT_AWAY = 1, 3

# What brings a command that has more to import than the chassis needs, or lies in another package.
_ENGINE = dict.fromkeys(
    (
        "up",
        "release",
        "promote",
        "rollback",
        "status",
        "logs",
        "levels",
        "tour",
        "break",
        "mend",
        "load",
        "fault",
        "backup",
    ),
    "slipway-operator[local]",
)
BROUGHT_BY = _ENGINE | {"gateway": "slipway-gateway", "new": "slipway-chassis[new]"}


class Commands(click.Group):
    """Commands of installed packages: loaded only when named, so that ``slipway --help`` is quick."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return sorted(point.name for point in entry_points(group="slipway.commands"))

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """What each does, read from the docstring of its source: importing all of them would take seconds."""
        points = sorted(entry_points(group="slipway.commands"), key=lambda point: point.name)
        longest = max((len(point.name) for point in points), default=0)
        limit = formatter.width - 6 - longest
        if points:
            with formatter.section("Commands"):
                formatter.write_dl([(point.name, _short(summary(point), limit)) for point in points])

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        for point in entry_points(group="slipway.commands", name=name):
            try:
                command: click.Command = point.load()
            except ModuleNotFoundError as error:
                return _lacking(name, f"the package {error.name} is missing", _brought_by(name, point))
            return command
        if name in BROUGHT_BY:
            return _lacking(name, f"slipway {name} is not installed", BROUGHT_BY[name])
        return None


def _short(words: str, limit: int) -> str:
    return click.Command(None, help=words).get_short_help_str(limit)


def summary(point: EntryPoint) -> str:
    """The docstring of the function that is the command, or what its packages are installed by; empty where its source
    is not to be had.
    """
    package = _brought_by(point.name, point)
    try:
        spec = find_spec(point.module)
        source = Path(spec.origin).read_text() if spec and spec.origin else ""
    except (ImportError, OSError):  # one of the packages around it is missing
        return _not_installed(package)
    if not _is_whole(package):
        return _not_installed(package)
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == point.attr:
            return ast.get_docstring(node) or ""
    return ""


def _not_installed(package: str) -> str:
    return f"Not installed: pip install '{package}'"


def _is_whole(package: str) -> bool:
    """Whether NAME or NAME[EXTRA] and what the extra asks for are installed, whatever their versions."""
    name, _, extra = package.rstrip("]").partition("[")
    try:
        of_extra = [found for each in requires(name) or () if extra and (found := _OF_EXTRA.match(each))]
        for found in of_extra:
            if found["extra"] == extra:
                distribution(found["name"])
    except PackageNotFoundError:
        return False
    return True


# Of metadata: jinja2>=3; extra == "new". One with a further condition is left to the command itself.
_OF_EXTRA = re.compile(r"(?P<name>[\w.-]+)[^;]*;\s*extra\s*==\s*[\"'](?P<extra>[\w-]+)[\"']\s*$")


def _brought_by(name: str, point: EntryPoint) -> str:
    return BROUGHT_BY.get(name, point.dist.name if point.dist else point.module.partition(".")[0])


def _lacking(name: str, what: str, package: str) -> click.Command:
    """Stands for a command that can't run, with whatever options: so that the help of all others still comes."""

    def say(*_arguments: object, **_options: object) -> None:
        raise ConfigurationError(f"{what}: pip install '{package}'")

    arguments = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    taking_all = {"ignore_unknown_options": True, "help_option_names": []}
    short = _not_installed(package)
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
