"""``slipway release``, ``promote``, ``rollback`` and ``status``: what is asked of a running ``slipway up``."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from .layout import Layout, layout_on
from .releasing import AWAITS, Controls
from .state import DesiredRelease
from .system import System, read
from .versions import LABEL

Command = Callable[..., None]


def data_option(command: Command) -> Command:
    folder = click.Path(path_type=Path, file_okay=False)
    return click.option("--data", type=folder, help="Data directory of slipway up; default: .slipway.")(command)


def place(data: Path | None) -> tuple[Layout, System]:
    system = read(Path.cwd())
    return layout_on(data), system


def _label(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    import re  # noqa: PLC0415 # only here

    if not re.match(LABEL, value):
        raise click.BadParameter("letters, digits, dots, dashes and underscores, at most 40")
    return value


def _settings(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    if any(not name or not equals for name, equals, _ in pairs):
        raise click.BadParameter("a setting is NAME=VALUE")
    return {name: value for name, _, value in pairs}


@click.command()
@click.argument("service")
@click.option("--version", "label", required=True, callback=_label, help="Name of the version, for example 2.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Directory of its code, which is copied. Default: the working tree.",
)
@click.option(
    "--set", "env", multiple=True, callback=_settings, help="Setting of this version, NAME=VALUE. Repeatable."
)
@data_option
def release(service: str, label: str, source: Path | None, env: dict[str, str], data: Path | None) -> None:
    """Release a version of SERVICE blue-green, beside `slipway up`, and show its progress.

    The code is copied, so that later edits do not change the version. To release another commit, check it
    out into a directory: git worktree add ../v1.4 v1.4

    \b
    Examples:
      slipway release orders --version 2
      slipway release orders --version 1.4 --from ../v1.4/services/orders
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    controls = Controls(*place(data), service)
    begin = controls.journal_end()
    _follow(controls, controls.release(label, source=source, env=env), begin)


@click.command()
@click.argument("service")
@data_option
def promote(service: str, data: Path | None) -> None:
    """Promote the version of SERVICE that passed its gates; required if auto_promote is false."""
    controls = Controls(*place(data), service)
    begin = controls.journal_end()
    _follow(controls, controls.promote(), begin)


@click.command()
@click.argument("service")
@click.argument("version", required=False)
@data_option
def rollback(service: str, version: str | None, data: Path | None) -> None:
    """Roll SERVICE back to a former VERSION, by default the previous one. A release in progress is aborted.

    \b
    Examples:
      slipway rollback orders
      slipway rollback orders dev
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    controls = Controls(*place(data), service)
    begin = controls.journal_end()
    _follow(controls, controls.rollback(version), begin)


@click.command()
@click.argument("service", required=False)
@data_option
def status(service: str | None, data: Path | None) -> None:
    """Show the active version of each service, and what its release is waiting for."""
    layout, system = place(data)
    for each in [service] if service else [one.name for one in system.services]:
        controls = Controls(layout, system, each)
        click.echo(f"{each:<12} {controls.sentence()}")
        for label, said in controls.rows():
            click.echo(f"  {label:<10} {said}")


def _follow(controls: Controls, desired_release: DesiredRelease, begin: int) -> None:
    start = time.monotonic()

    def tell(what: str, remark: str) -> None:
        click.echo(f"  {time.monotonic() - start:5.1f} s  {what:<22} {remark}")

    controls.follow(desired_release, begin, tell)
    if controls.status().phase in AWAITS:
        click.echo(f"  it waits: {controls.sentence()}")
