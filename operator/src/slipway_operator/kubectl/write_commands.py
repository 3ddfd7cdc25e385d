"""The commands that decide: they write fields of spec.release, which GitOps can write as well."""

import time
from collections.abc import Callable
from datetime import timedelta

import click

from slipway_chassis.cli.arguments import Duration

from ..errors import KubernetesError
from ..spec.status import MicroserviceStatus
from ..spec.stored import read_stored
from . import release_patches
from .arguments import Command, Version, cluster_options, service_argument, target_of
from .cluster import MICROSERVICES, Cluster
from .errors import NotPossible
from .outcome import outcome
from .read_commands import LOOK_SECONDS, looked
from .release_patches import ReleasePatch
from .screen import Screen, Teller
from .snapshot import Snapshot
from .text import span, utc_now

# The operator sees a change at once; a promotion right after `kubectl apply` need not fail for that.
SEEN_SECONDS = 5
STILL_SECONDS = 15
INTERRUPTED = 130  # what shells say of a command that Ctrl-C ended


def _wait_options(command: Command) -> Command:
    wait = click.option("--wait", is_flag=True, help="Wait until the decision has taken effect or failed.")
    timeout = click.option(
        "--timeout", type=Duration(), default="10m", show_default=True, help="Timeout of --wait, for example 90s."
    )
    return wait(timeout(command))


@click.command(short_help="Promote the waiting version.")
@service_argument
@click.option(
    "--version", "wanted", type=Version(), help="Promote this version only, by hash or label. Default: the waiting one."
)
@_wait_options
@cluster_options
@click.pass_context
def promote(context: click.Context, name: str, wanted: str | None, timeout: timedelta, *, wait: bool) -> None:
    """Promote the version that waits for a decision (spec.release.promote).

    \b
    Examples:
      kubectl slipway promote orders --wait
      kubectl slipway promote orders --version 1.5.0
    """  # noqa: D301
    until = timeout if wait else None
    _decide(context, name, lambda snapshot: release_patches.promote(snapshot, wanted or ""), until, forward=True)


@click.command(short_help="Abort the release in progress.")
@service_argument
@_wait_options
@cluster_options
@click.pass_context
def abort(context: click.Context, name: str, timeout: timedelta, *, wait: bool) -> None:
    """Abort the release in progress and keep the former version (spec.release.activeVersion).

    \b
    Example:
      kubectl slipway abort orders --wait
    """  # noqa: D301
    _decide(context, name, release_patches.abort, timeout if wait else None)


@click.command(short_help="Roll back to a former version.")
@service_argument
@click.option("--to", type=Version(), help="Hash or label of the target version. Default: the previous one.")
@click.option(
    "--allow-unreleased", is_flag=True, help="Activate a version of which no release has succeeded, without its gates."
)
@_wait_options
@cluster_options
@click.pass_context
def rollback(
    context: click.Context, name: str, to: str | None, timeout: timedelta, *, wait: bool, allow_unreleased: bool
) -> None:
    """Roll back to a former version (spec.release.activeVersion).

    \b
    Examples:
      kubectl slipway rollback orders --wait
      kubectl slipway rollback orders --to 1.4.2
    """  # noqa: D301

    def decide(snapshot: Snapshot) -> ReleasePatch:
        return release_patches.rollback(snapshot, to or "", unreleased=allow_unreleased)

    _decide(context, name, decide, timeout if wait else None)


@click.command(short_help="Pause a release.")
@service_argument
@cluster_options
@click.pass_context
def pause(context: click.Context, name: str) -> None:
    """Pause the release; running pods are not affected (spec.release.paused).

    \b
    Example:
      kubectl slipway pause orders
    """  # noqa: D301
    _decide(context, name, release_patches.pause, None)


@click.command(short_help="Resume a paused release.")
@service_argument
@cluster_options
@click.pass_context
def resume(context: click.Context, name: str) -> None:
    """Resume a paused release.

    \b
    Example:
      kubectl slipway resume orders
    """  # noqa: D301
    _decide(context, name, release_patches.resume, None)


@click.command(short_help="Retry the release of the current spec.")
@service_argument
@cluster_options
@click.pass_context
def retry(context: click.Context, name: str) -> None:
    """Retry the release of the current spec after a failure, an abort or a rollback (spec.release.retry).

    \b
    Example:
      kubectl slipway retry orders
    """  # noqa: D301
    _decide(context, name, lambda snapshot: release_patches.retry(snapshot, snapshot.now), None)


def _decide(
    context: click.Context,
    name: str,
    decide: Callable[[Snapshot], ReleasePatch],
    timeout: timedelta | None,
    *,
    forward: bool = False,
) -> None:
    screen = Screen()
    cluster = Cluster(target_of(context), screen.note)
    snapshot = _fresh(cluster, name, screen)
    decision = decide(snapshot)
    for warning in decision.warnings:
        screen.warn(warning)
    cluster.target.namespace = snapshot.namespace
    written = cluster.patch(MICROSERVICES, name, decision.patch)
    screen.say(f"{name}: {decision.said}")
    for note in decision.notes:
        screen.note(note)
    if timeout is None:
        return
    generation = int(written["metadata"]["generation"])
    try:
        with screen.progress() as tell:
            took = _until(cluster, snapshot, (generation, decision.version), timeout, tell, forward=forward)
    except KeyboardInterrupt:
        screen.note(f"no longer waiting; the decision stands: {snapshot.command(f'status {name}')}")
        raise click.exceptions.Exit(INTERRUPTED) from None
    screen.say(f"{snapshot.title(decision.version)} is active, after {span(took)}")


def _fresh(cluster: Cluster, name: str, screen: Screen) -> Snapshot:
    """Of the present spec, where the operator comes to look at it in time."""
    ends = utc_now() + timedelta(seconds=SEEN_SECONDS)
    snapshot = looked(cluster, name, whole=False)
    if not snapshot.seen:
        screen.note("waiting for the operator to look at the latest change ...")
    while not snapshot.seen and utc_now() < ends:
        time.sleep(LOOK_SECONDS)
        snapshot = looked(cluster, name, whole=False)
    return snapshot


def _until(
    cluster: Cluster, snapshot: Snapshot, wanted: tuple[int, str], timeout: timedelta, tell: Teller, *, forward: bool
) -> timedelta:
    """How long it took. An API server that does not answer for a while ends no wait."""
    began = utc_now()
    line, told = "", began
    while True:
        try:
            found = cluster.microservice(snapshot.name)
        except KubernetesError as error:
            if not error.retriable or utc_now() - began >= timeout:
                raise
            line = str(error)
        else:
            status = read_stored(MicroserviceStatus, found.get("status"))
            stands = outcome(status, wanted[0], wanted[1], forward=forward)
            if stands.done:
                return utc_now() - began
            if stands.failed:
                raise NotPossible(f"{snapshot.title(wanted[1])} did not become active: {stands.failed}")
            line = stands.line
        now = utc_now()
        if now - began >= timeout:
            cure = snapshot.command(f"explain {snapshot.name}")
            raise NotPossible(f"not within {span(timeout)}; the decision stands. It is at {line}. Why: {cure}")
        if now - told >= timedelta(seconds=STILL_SECONDS):
            line, told = f"{line} (for {span(now - began)})", now
        tell(line)
        time.sleep(LOOK_SECONDS)
