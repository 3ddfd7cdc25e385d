"""``slipway up``: the whole platform on this machine."""

import subprocess
import sys
import time
from pathlib import Path

import click

from slipway_chassis.config import MachineSettings, load
from slipway_chassis.lifecycle import Stop

from ...console.server import Console
from ...errors import LocalRuntimeError
from .console import serving
from .console.happenings import Happenings
from .console.processes import everything_of
from .layout import FIRST_BASE, FIRST_GATEWAY, Layout, default_data, former_data, make_data, with_free_ports
from .leftovers import Leftovers
from .platform import Platform
from .stores.stores import Stores
from .system import System, read

WATCH_SECONDS = 0.1


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory for all data and logs; default: .slipway.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port of the gateway on 127.0.0.1; default: {FIRST_GATEWAY}, or the next one that is free.",
)
@click.option(
    "--base-port",
    type=click.IntRange(1024, 65000),
    help=f"First of the internal ports; default: {FIRST_BASE}, or the next ones that are free.",
)
@click.option(
    "--story", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Script to run when everything is up."
)
@click.option("--console/--no-console", default=True, help="Serve the console, a page of what runs. Default: yes.")
@click.option("--observe", is_flag=True, help="Keep metrics, alerts, log lines and traces in stores of their own.")
@click.option("--once", is_flag=True, help="Stop after the story and exit with its exit code.")
def up(
    data: Path | None,
    port: int | None,
    base_port: int | None,
    story: Path | None,
    *,
    console: bool,
    observe: bool,
    once: bool,
) -> None:
    """Run PostgreSQL, Kafka, Envoy and all services as processes, until Ctrl-C.

    The services are those of [tool.slipway] in pyproject.toml. Data is kept between runs, beside that file.

    \b
    Examples:
      slipway up
      slipway up --port 9000 --data /tmp/shop
      slipway up --observe
      slipway up --story services/story.py --once
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    machine = load(MachineSettings)
    system = read(Path.cwd())
    folder = (data or default_data(Path.cwd())).absolute()
    if data is None:
        _tell_of_former_data(folder, former_data(machine))
    make_data(folder)
    stop = Stop().install()
    with Layout(folder, gateway=0, base=0).locked():
        teller = _Teller(serving.happenings())
        for name in Leftovers(folder / "processes.json").end():
            teller(name, "of a former run has ended")
        layout = with_free_ports(folder, system.services, gateway=port, base=base_port)
        stores = Stores(layout, project=Path.cwd(), machine=machine, tell=teller) if observe else None
        settings = stores.settings if stores else None
        platform = Platform(layout, system, machine=machine, tell=teller, settings=settings)
        shown = _begin_console(layout, system, platform, teller) if console else None
        click.echo(f"data, logs and passwords are in {_short(layout.data)}")
        code = 0
        try:
            if stores:
                stores.start(lambda: everything_of(platform))
            platform.start(lambda: stop.requested)
            if not stop.requested:
                _tell_memory(platform, stores)
            teller.silent = story is not None  # a story tells of its releases itself
            code = _tell_story(story, platform, stop, teller) if story and not stop.requested else 0
            teller.silent = False
            if not once and not stop.requested:
                click.echo(f"\nthe gateway is at http://127.0.0.1:{layout.gateway} - Ctrl-C stops everything")
                _watch(platform, stop, teller)
        finally:
            click.echo("stopping")
            if shown:
                serving.ended(shown, layout)
            platform.stop()
            if stores:
                stores.stop()
    click.echo("stopped; no process is left")
    sys.exit(code)


def _tell_memory(platform: Platform, stores: Stores | None) -> None:
    memory = platform.memory()
    click.echo(f"all of it takes {memory.megabytes} MB of memory ({memory.how})")
    if stores and stores.children:
        click.echo(f"the stores beside it take {stores.memory().megabytes} MB")


def _begin_console(layout: Layout, system: System, platform: Platform, teller: "_Teller") -> Console | None:
    """Before anything else, so that a start can be watched; without it everything else goes on."""
    try:
        console = serving.started(layout, system, platform, teller.happenings)
    except LocalRuntimeError as error:
        teller("console", str(error))
        return None
    teller("console", f"http://127.0.0.1:{console.port}/ (slipway console prints the token for its actions)")
    return console


def _tell_of_former_data(folder: Path, former: Path) -> None:
    """Said once: what an earlier version kept for all projects is not lost, and not taken either."""
    if (former / "postgresql").is_dir() and not folder.exists():
        click.echo(
            f"data of before is in {former}, and this run begins with none: to go on with it, stop this one, and start "
            f"slipway up --data {former}, or move it to {_short(folder)}"
        )


def _short(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


class _Teller:
    """Prints each step with the time since the last one and since the start."""

    def __init__(self, happenings: Happenings) -> None:
        self._start = self._last = time.monotonic()
        self.happenings = happenings
        self.silent = False

    def __call__(self, what: str, remark: str) -> None:
        now = time.monotonic()
        self.happenings.tell(what, remark)
        if not self.silent:
            click.echo(f"  {now - self._start:5.1f} s  (+{now - self._last:4.1f})  {what:<18} {remark}")
        self._last = now


def _tell_story(story: Path, platform: Platform, stop: Stop, teller: _Teller) -> int:
    """Runs the script beside the platform, which goes on: a story may release versions."""
    layout = platform.layout
    telling = subprocess.Popen([sys.executable, str(story), layout.gateway_url, str(layout.data)])
    try:
        while telling.poll() is None and not stop.wait(WATCH_SECONDS):
            _tend(platform, teller)
    finally:
        telling.terminate()
    return telling.wait()


def _watch(platform: Platform, stop: Stop, teller: _Teller) -> None:
    while not stop.wait(WATCH_SECONDS):
        _tend(platform, teller)


def _tend(platform: Platform, teller: _Teller) -> None:
    for name in platform.tend():
        teller.happenings.fell(name)
        click.echo(f"{name} ended by itself and was started again; its log says why", err=True)
