"""``slipway logs`` and ``slipway levels``: what the processes say, and how much of it."""

import io
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import click

from slipway_chassis.cli.arguments import Duration
from slipway_chassis.telemetry.levels import LOOK_SECONDS, levels_of

from ...errors import NotRunning
from .layout import Layout, layout_on
from .log_files import LogFile, log_files
from .log_lines import LEVELS, LONGEST_LINE, SHORTEST_WORD, About, Choice, Line, in_order, lines_of
from .processes import utc_now
from .release_cli import data_option, place
from .releasing import Controls
from .state import replace_file

POLL_SECONDS = 0.5
MOST_LINES = 1_000_000  # of standard input
STANDARD_INPUT = "-"


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@click.option(
    "--about",
    default="",
    metavar="ID",
    help="Lines of the requests in which ID stands: of a request, a trace, an event or an aggregate.",
)
@click.option(
    "--level", type=click.Choice(LEVELS), default=LEVELS[0], show_default=True, help="Least severity of a line."
)
@click.option("--since", type=Duration(), help="Not older than this, for example 10m.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
@data_option
def logs(
    services: Sequence[str],
    *,
    about: str,
    level: str,
    since: timedelta | None,
    follow: bool,
    output: str,
    data: Path | None,
) -> None:
    """Show the lines of all logs of `slipway up` in their order; also when nothing runs any more.

    - reads lines of JSON from standard input instead, for example those of a cluster's pods.

    \b
    Examples:
      slipway logs
      slipway logs orders --level warning --since 10m
      slipway logs --about 0198c0de-7a1b-7c3d-9e2f-6f0a1b2c3d4e
      kubectl logs -l app.kubernetes.io/part-of=slipway --tail=-1 | slipway logs - --about 4bf92f3577b34da6
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    if about and len(about) < SHORTEST_WORD:
        raise click.BadParameter(f"an ID has {SHORTEST_WORD} characters or more", param_hint="--about")
    names = [name for name in services if name != STANDARD_INPUT]
    choice = Choice(services=names, level=level, since=utc_now() - since if since else None)
    shown = _Shown(choice, About(about) if about else None, output)
    if STANDARD_INPUT in services:
        shown.show(lines_of("input", _standard_input()))
        return
    layout = layout_on(data)
    files = _files(layout)
    shown.show(line for file in files for line in file.read())
    for file in files:
        if file.cut:
            click.echo(f"{file.path.name} is long: its first {file.cut / 1e6:.0f} MB were left out", err=True)
    while follow:
        time.sleep(POLL_SECONDS)
        known = {file.path for file in files}
        files += [file for file in log_files(layout) if file.path not in known]
        shown.show(line for file in files for line in file.read())


def _standard_input() -> Iterator[str]:
    stream = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")
    for _ in range(MOST_LINES):
        if not (text := stream.readline(LONGEST_LINE)):
            return
        yield text


def _files(layout: Layout) -> list[LogFile]:
    found = list(log_files(layout))
    if not found:
        raise NotRunning(f"there are no logs in {layout.data}: `slipway up` writes them; --data names its folder")
    return found


class _Shown:
    def __init__(self, choice: Choice, about: About | None, output: str) -> None:
        self._choice, self._about, self._output = choice, about, output

    def show(self, lines: Iterable[Line]) -> None:
        if self._about is None:
            lines = filter(self._choice.takes, lines)
        found = in_order(lines)
        if self._about:
            self._about.learn(found)
            found = [line for line in found if self._choice.takes(line) and self._about.takes(line)]
        for line in found:
            click.echo(self._words(line))

    def _words(self, line: Line) -> str:
        if self._output == "json":
            return line.text if line.fields else json.dumps({"message": line.text, "log.file.path": line.source})
        return line.for_people()


@click.command()
@click.argument("service")
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--reset", is_flag=True, help="Back to what the processes began with.")
@data_option
def levels(service: str, values: Sequence[str], *, reset: bool, data: Path | None) -> None:
    """Change how much the running processes of SERVICE log and trace, within seconds and without a restart.

    \b
    Examples:
      slipway levels orders LOG_LEVEL=DEBUG
      slipway levels orders LOG_LEVEL=DEBUG TRACE_SAMPLE_RATIO=1
      slipway levels orders --reset
    """  # noqa: D301
    if bool(values) == reset:
        raise click.UsageError("give NAME=VALUE, such as LOG_LEVEL=DEBUG, or --reset")
    layout, system = place(data)
    Controls(layout, system, service)  # the service is known, and something runs
    text = " ".join(values)
    levels_of(text)
    file = layout.levels(service)
    file.parent.mkdir(exist_ok=True)
    replace_file(file, text)
    said = "as they began" if reset else text
    click.echo(f"{service}: {said}, within {LOOK_SECONDS:.0f} s, in all processes and those to come")
