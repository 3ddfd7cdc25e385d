"""``slipway load`` and ``slipway fault``: the customers and the mishaps of the lessons, by hand."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
from pydantic import ValidationError

from slipway_chassis.cli.arguments import Duration
from slipway_chassis.config import KafkaSettings

from ..runtimes.local.layout import Layout, layout_on, remembered
from ..runtimes.local.release_cli import data_option
from . import faults
from .lesson import MOST_CUSTOMERS, MOST_SECONDS, ORDER, Load
from .load import MOST_OUTCOMES
from .measuring import ByRequest, Measured, by_request
from .visit import Visit

MOST_FAULT_SECONDS = 120


# --- load
@click.command()
@click.argument("requests", nargs=-1, metavar="[PATH|'POST /v1/orders']...")
@click.option("--customers", type=click.IntRange(1, MOST_CUSTOMERS), default=8, show_default=True, help="At once.")
@click.option("--for", "lasts", type=Duration(), default="10s", show_default=True, help="How long they come.")
@click.option("--patience", type=click.FloatRange(0.1, 30), default=5.0, show_default=True, help="Seconds each waits.")
@click.option("--signed-in", is_flag=True, help="They open an account first, and ask with its token.")
@click.option("--order", default="tea", show_default=True, help="The item that is ordered.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
@data_option
def load(
    requests: Sequence[str],
    customers: int,
    lasts: timedelta,
    output: str,
    data: Path | None,
    *,
    patience: float,
    order: str,
    signed_in: bool,
) -> None:
    """Send customers to the gateway of a running `slipway up`, and count what they were answered.

    Each asks for one path after the other (default: /) and waits for the answer. With 'POST /v1/orders' they
    sign in and order, and orders whose events were lost are counted. In a path behind it ${order} stands for the
    order before; where they cancel, items that are held for no order are counted.

    \b
    Examples:
      slipway load --customers 24 --for 30s / /sign-up
      slipway load --signed-in /v1/home
      slipway load 'POST /v1/orders' '/v1/orders?limit=1'
      slipway load 'POST /v1/orders' 'POST /v1/orders/${order}/cancel'
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    asked = tuple(one if " " in one else f"GET {one}" for one in requests or ("/",))
    who = "customer" if signed_in or ORDER in asked else "anybody"
    seconds = _bounded(lasts, MOST_SECONDS)
    with _usage_errors():
        wanted = Load(
            customers=customers, seconds=seconds, patience_seconds=patience, who=who, requests=asked, order=order
        )
    layout = _running(data)
    visit = Visit(wanted, gateway=layout.gateway, port=layout.gateway, admin=layout.gateway_admin)
    outcomes = visit.run(lambda: None)
    found, requests_found = visit.counted(outcomes), by_request(outcomes)
    if len(outcomes) >= MOST_OUTCOMES:
        click.echo(f"customers left before {seconds} s were over: after {MOST_OUTCOMES} answers", err=True)
    if output == "json":
        click.echo(json.dumps(_as_json(found, requests_found), ensure_ascii=False))
    else:
        click.echo(_table(found, requests_found))


def _table(found: Measured, requests: Sequence[ByRequest]) -> str:
    rows = [("request", "answered", "failed", "given up", "p50 ms", "p99 ms")]
    rows += [
        (one.request, str(one.answered), str(one.refused), str(one.late), str(one.p50), str(one.p99))
        for one in requests
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) if number == 0 else cell.rjust(width)
                  for number, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]  # fmt: skip
    if "lost" in found.counts:
        lines.append(f"{found.counts['placed']} orders were accepted, {found.counts['lost']} of them are lost")
    if "stranded" in found.counts:
        lines.append(
            f"{found.counts['placed']} orders were accepted, {found.counts['stranded']} items are held for none"
        )
    return "\n".join(lines)


def _as_json(found: Measured, requests: Sequence[ByRequest]) -> dict[str, object]:
    figures = {
        one.request: {
            "answered": one.answered, "failed": one.refused, "given_up": one.late, "p50_ms": one.p50, "p99_ms": one.p99,
        }
        for one in requests
    }  # fmt: skip
    return {"counts": dict(found.counts), "requests": figures}


# --- faults
@click.group()
def fault() -> None:
    """Let something go wrong in a running `slipway up`, to see what comes of it.

    PROCESS is called as `slipway up` names it: orders.http, inventory.worker, kafka, postgresql, gateway. Nothing else
    on this machine is touched.

    \b
    Examples:
      slipway fault kill orders.http
      slipway fault restart orders.http
      slipway fault freeze inventory.grpc --for 6s
      slipway fault poison orders.order.v1
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines


@fault.command("kill")
@click.argument("process")
@data_option
def kill(process: str, data: Path | None) -> None:
    """End PROCESS with -9; `slipway up` starts it again."""
    layout = _running(data)
    name = faults.named(layout.data, process)
    faults.kill(layout.data, name)
    click.echo(f"{name} was killed")


@fault.command("restart")
@click.argument("process")
@data_option
def restart(process: str, data: Path | None) -> None:
    """Ask PROCESS of a service to end and wait until it has; `slipway up` starts it again, as no release does."""
    layout = _running(data)
    name = faults.named(layout.data, process)
    faults.restart(layout.data, name)
    click.echo(f"{name} has ended, and is started again")


@fault.command("freeze")
@click.argument("process")
@click.option("--for", "lasts", type=Duration(), default="5s", show_default=True, help="Until it goes on.")
@data_option
def freeze(process: str, lasts: timedelta, data: Path | None) -> None:
    """Let PROCESS stand still: it is there, and says nothing, as a machine that swaps. Ctrl-C lets it go on."""
    seconds = _bounded(lasts, MOST_FAULT_SECONDS)
    layout = _running(data)
    name = faults.named(layout.data, process)
    click.echo(f"{name} is frozen for {seconds} s")
    began = time.monotonic()
    try:
        faults.freeze(layout.data, name, seconds)
    except KeyboardInterrupt:
        click.echo()
    click.echo(f"{name} goes on, after {time.monotonic() - began:.1f} s")


@fault.command("poison")
@click.argument("topic")
@data_option
def poison(topic: str, data: Path | None) -> None:
    """Put a record on TOPIC that is no event. Who consumes it makes it a dead letter and goes on: `slipway dlq ls`."""
    layout = _running(data)
    faults.poison(KafkaSettings(kafka_bootstrap_servers=f"127.0.0.1:{layout.kafka}"), topic)
    click.echo(f"a record that is no event is in {topic}")


# --- both
def _running(data: Path | None) -> Layout:
    layout = layout_on(data)
    layout.require_running()
    gateway, base = remembered(layout.data)
    return replace(layout, gateway=gateway, base=base)


def _bounded(lasts: timedelta, most: int) -> int:
    seconds = int(lasts.total_seconds())
    if not 1 <= seconds <= most:
        raise click.BadParameter(f"a time from 1s to {most}s", param_hint="--for")
    return seconds


@contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise click.UsageError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
