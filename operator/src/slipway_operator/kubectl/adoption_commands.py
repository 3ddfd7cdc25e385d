"""``kubectl slipway adopt`` and ``orphan``: a service changes hands between a chart and the operator."""

import click

from . import adoption, text
from .arguments import cluster_options, service_argument, target_of
from .cluster import Cluster
from .screen import Screen


@click.command(short_help="Let the operator take a service over from its chart.")
@service_argument
@cluster_options
@click.pass_context
def adopt(context: click.Context, name: str) -> None:
    """Let the operator take NAME over from its chart, with no request lost.

    The chart's Deployments and Services are marked; then upgrade the release with release.managed=true.

    \b
    Example:
      kubectl slipway adopt shop-orders
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    for sentence in adoption.adopt(Cluster(target_of(context), Screen().note), name):
        click.echo(text.clean(sentence, 1200))


@click.command(short_help="Give a service back to its chart.")
@service_argument
@click.option("--clean", is_flag=True, help="Remove what is left of it, once the chart's own pods answer.")
@cluster_options
@click.pass_context
def orphan(context: click.Context, name: str, *, clean: bool) -> None:
    """Give NAME back to its chart, with no request lost; or undo adopt.

    \b
    Example:
      kubectl slipway orphan shop-orders
      helm upgrade shop CHART --reset-then-reuse-values --set orders.release.managed=false
      kubectl slipway orphan shop-orders --clean
    """  # noqa: D301
    give_back = adoption.clean if clean else adoption.orphan
    for sentence in give_back(Cluster(target_of(context), Screen().note), name):
        click.echo(text.clean(sentence, 1200))
