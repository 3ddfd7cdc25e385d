"""``kubectl slipway adopt`` and ``orphan``: a service changes hands between a chart and the operator."""

import click

from . import adoption, text
from .arguments import cluster_options, service_argument, target_of
from .cluster import Cluster
from .screen import Screen


def _objects(context: click.Context) -> Cluster:
    """Its namespace is known before anything is written: half of a change of hands helps nobody."""
    cluster = Cluster(target_of(context), Screen().note)
    _ = cluster.namespace
    return cluster


@click.command(short_help="Hand a service over from its chart to the operator.")
@service_argument
@cluster_options
@click.pass_context
def adopt(context: click.Context, name: str) -> None:
    """Hand NAME over from its chart to the operator, without a lost request.

    The chart's Deployments and Services are marked; then upgrade the release with release.managed=true.

    \b
    Example:
      kubectl slipway adopt shop-orders
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    for sentence in adoption.adopt(_objects(context), name):
        click.echo(text.clean(sentence, 1200))


@click.command(short_help="Return a service to its chart.")
@service_argument
@click.option("--clean", is_flag=True, help="Remove leftovers once the chart's own pods are ready.")
@cluster_options
@click.pass_context
def orphan(context: click.Context, name: str, *, clean: bool) -> None:
    """Return NAME to its chart, without a lost request; also reverts adopt.

    \b
    Example:
      kubectl slipway orphan shop-orders
      helm upgrade shop CHART --reset-then-reuse-values --set orders.release.managed=false
      kubectl slipway orphan shop-orders --clean
    """  # noqa: D301
    give_back = adoption.clean if clean else adoption.orphan
    for sentence in give_back(_objects(context), name):
        click.echo(text.clean(sentence, 1200))
