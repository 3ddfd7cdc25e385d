"""The commands that look: get, status, explain, history."""

import time
from collections.abc import Iterator
from dataclasses import replace

import click

from ..errors import Overloaded, Unreachable
from . import reports, tree
from .arguments import ServiceName, cluster_options, output_option, service_argument, target_of
from .cluster import PARTS, VERSIONS, Cluster
from .explaining import explain as explained
from .screen import Screen, data
from .snapshot import Snapshot, serving_before, snapshot_of
from .text import clean, clock, utc_now

LOOK_SECONDS = 1.0


def looked(cluster: Cluster, name: str, *, whole: bool = True) -> Snapshot:
    return snapshot_of(cluster.read(name, PARTS if whole else (VERSIONS,)), utc_now())


@click.command(short_help="List services and what blocks them.")
@click.argument("name", type=ServiceName(), required=False)
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="List services in all namespaces.")
@output_option(default="table")
@cluster_options
@click.pass_context
def get(context: click.Context, name: str | None, output: str, *, everywhere: bool) -> None:
    """List services with their active version, their candidate and what blocks it.

    \b
    Examples:
      kubectl slipway get
      kubectl slipway get -A
      kubectl slipway get orders -o json
    """  # noqa: D301
    if name and everywhere:
        raise click.UsageError("a NAME belongs to one namespace: leave out -A")
    screen, target = Screen(), target_of(context)
    target.everywhere = everywhere
    cluster = Cluster(target, screen.note)
    found, records = cluster.microservices()
    if name:
        found = [one for one in found if one["metadata"]["name"] == name] or [cluster.microservice(name)]
    rows = reports.services(found, records, utc_now())
    if output != "table":
        data(rows[0] if name else rows, output)
    elif not rows:
        where = "any namespace" if everywhere else f"namespace {cluster.namespace}"
        screen.note(f"no Microservices in {where}" + ("" if everywhere else ": kubectl slipway get -A lists all"))
    else:
        screen.table(*reports.service_table(rows, namespaces=everywhere))


@click.command(short_help="Show one service as a tree.")
@service_argument
@click.option("-w", "--watch", is_flag=True, help="Refresh every second until Ctrl-C.")
@output_option(default="tree")
@cluster_options
@click.pass_context
def status(context: click.Context, name: str, output: str, *, watch: bool) -> None:
    """Show one service as a tree: versions, pods, migrations, gates, consumers.

    \b
    Examples:
      kubectl slipway status orders
      kubectl slipway status orders --watch
    """  # noqa: D301
    if watch and output != "tree":
        raise click.UsageError(f"--watch draws a tree: leave out -o {output}")
    screen = Screen()
    cluster = Cluster(target_of(context), screen.note)
    if not watch:
        snapshot = looked(cluster, name)
        if output == "tree":
            screen.lines(tree.lines(tree.tree(snapshot), screen.drawing))
        else:
            data(reports.service(snapshot), output)
        return
    try:
        _watch_live(cluster, name, screen) if screen.out.is_terminal else _watch_plain(cluster, name, screen)
    except KeyboardInterrupt:
        return  # that is how a watch ends


def _looks(cluster: Cluster, name: str) -> Iterator[tuple[Snapshot | None, str]]:
    """A snapshot every second, or why there is none: an API server that is away for a while ends no watch."""
    while True:
        try:
            yield looked(cluster, name), ""
        except (Unreachable, Overloaded) as error:
            yield None, clean(str(error))
        time.sleep(LOOK_SECONDS)


def _watch_live(cluster: Cluster, name: str, screen: Screen) -> None:
    with screen.live() as live:
        drawn: list[tree.Line] = []
        for snapshot, away in _looks(cluster, name):
            if snapshot:
                drawn = tree.lines(tree.tree(snapshot), screen.drawing)
            live.show(drawn, f"{away or clock(utc_now(), utc_now())} · Ctrl-C ends")


def _watch_plain(cluster: Cluster, name: str, screen: Screen) -> None:
    """Into a file or a pipe: the tree again when something but the time has changed."""
    before: object = None
    for snapshot, away in _looks(cluster, name):
        now = (snapshot.status, snapshot.observed, snapshot.pods, snapshot.generation) if snapshot else away
        if now != before and snapshot is None:
            screen.note(away)
        elif now != before and snapshot:
            screen.say(clock(snapshot.now, snapshot.now))
            screen.lines(tree.lines(tree.tree(snapshot), screen.drawing))
        before = now


@click.command(short_help="Explain why a service waits.")
@service_argument
@output_option(default="text")
@cluster_options
@click.pass_context
def explain(context: click.Context, name: str, output: str) -> None:
    """Explain why a service waits: the unmet condition, its deadline, and what to do.

    \b
    Example:
      kubectl slipway explain orders
    """  # noqa: D301
    screen = Screen()
    cluster = Cluster(target_of(context), screen.note)
    snapshot = looked(cluster, name)
    if snapshot.lent_selector:
        before = serving_before(snapshot.lent_selector, cluster.select("deployments.apps", ""))
        snapshot = replace(snapshot, served_before=before)
    said = explained(snapshot)
    if output == "text":
        screen.explanation(said)
    else:
        data(reports.explanation(said), output)


@click.command(short_help="List recent releases.")
@service_argument
@output_option(default="table")
@cluster_options
@click.pass_context
def history(context: click.Context, name: str, output: str) -> None:
    """List recent releases, newest first, and whether each can be rolled back to.

    \b
    Example:
      kubectl slipway history orders
    """  # noqa: D301
    screen = Screen()
    snapshot = looked(Cluster(target_of(context), screen.note), name, whole=False)
    if output != "table":
        data(reports.history(snapshot), output)
        return
    rows, moods = reports.history_rows(snapshot)
    if rows:
        screen.table(reports.HISTORY_COLUMNS, rows, moods)
    else:
        screen.note(f"no release of {name} has ended yet")
