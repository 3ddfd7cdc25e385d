"""`kubectl slipway plan show|promote|abort`: several services that are released together."""

import time
from collections.abc import Callable
from datetime import timedelta

import click

from slipway_chassis.cli.arguments import Duration

from .arguments import PlanName, cluster_options, output_option, target_of
from .cluster import RELEASE_PLANS, Cluster
from .errors import NotPossible
from .read_commands import LOOK_SECONDS
from .release_plans import PlanPatch, PlanSnapshot, abort_plan, plan_lines, plan_snapshot, promote_plan
from .screen import Screen, data
from .text import clean, utc_now

plan_argument = click.argument("name", type=PlanName(), metavar="NAME")


@click.group(short_help="Inspect and control a ReleasePlan.")
@cluster_options
def plan() -> None:
    """Inspect and control a ReleasePlan: all of its services get their new version, or all are rolled back.

    NAME is the name of a ReleasePlan, for example shop or rp/shop.
    """


def _look(cluster: Cluster, name: str) -> PlanSnapshot:
    return plan_snapshot(cluster.plan(name), utc_now())


@plan.command(short_help="Show waves and services.")
@plan_argument
@output_option(default="tree")
@cluster_options
@click.pass_context
def show(context: click.Context, name: str, output: str) -> None:
    """Show the waves of a plan and the progress of each service.

    \b
    Example:
      kubectl slipway plan show shop
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    screen = Screen()
    cluster = Cluster(target_of(context), screen.note)
    if output != "tree":
        data(cluster.plan(name), output)
        return
    for line in plan_lines(_look(cluster, name)):
        click.echo(clean(line, 1200))


def _wait(command: Callable[..., None]) -> Callable[..., None]:
    wait = click.option("--wait", is_flag=True, help="Wait until the plan has ended.")
    timeout = click.option(
        "--timeout", type=Duration(), default="30m", show_default=True, help="Timeout of --wait, for example 10m."
    )
    return wait(timeout(command))


@plan.command(short_help="Resume a paused plan.")
@plan_argument
@_wait
@cluster_options
@click.pass_context
def promote(context: click.Context, name: str, timeout: timedelta, *, wait: bool) -> None:
    """Resume a plan that was created paused (spec.paused).

    \b
    Example:
      kubectl slipway plan promote shop --wait
    """  # noqa: D301
    _decide(context, name, promote_plan, timeout if wait else None, wanted="Succeeded")


@plan.command(short_help="Roll all services of a plan back.")
@plan_argument
@_wait
@cluster_options
@click.pass_context
def abort(context: click.Context, name: str, timeout: timedelta, *, wait: bool) -> None:
    """Roll all services of a plan back to the versions they had before it (spec.abort).

    \b
    Example:
      kubectl slipway plan abort shop --wait
    """  # noqa: D301
    _decide(context, name, abort_plan, timeout if wait else None, wanted="Failed")


def _decide(
    context: click.Context,
    name: str,
    decide: Callable[[PlanSnapshot], PlanPatch],
    timeout: timedelta | None,
    *,
    wanted: str,
) -> None:
    screen = Screen()
    cluster = Cluster(target_of(context), screen.note)
    decision = decide(_look(cluster, name))
    if decision.patch:
        cluster.patch(RELEASE_PLANS, name, dict(decision.patch))
    click.echo(clean(decision.said, 1200))
    if timeout is not None:
        _until_over(screen, cluster, name, timeout, wanted)


def _until_over(screen: Screen, cluster: Cluster, name: str, timeout: timedelta, wanted: str) -> None:
    ends, said = time.monotonic() + timeout.total_seconds(), ""
    while not (snapshot := _look(cluster, name)).over:
        line = clean(f"{snapshot.status.phase} {snapshot.status.wave}: {snapshot.status.blocked_by}", 300)
        if line != said:
            screen.note(line)
            said = line
        if snapshot.status.phase == "Blocked" or time.monotonic() > ends:
            raise NotPossible(f"plan {name} has not ended: {line}")
        time.sleep(LOOK_SECONDS)
    if snapshot.status.phase != wanted:
        raise NotPossible(f"plan {name} ended as {snapshot.status.phase}: {snapshot.status.failure or 'see plan show'}")
    click.echo(f"plan {name}: {snapshot.status.phase}")
