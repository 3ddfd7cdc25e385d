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
@click.option("--service", "services", multiple=True, help="Service to hand over; default: NAME. Repeatable.")
@click.option("--deployment", "deployments", multiple=True, help="Deployment that serves now. Repeatable.")
@cluster_options
@click.pass_context
def adopt(context: click.Context, name: str, services: tuple[str, ...], deployments: tuple[str, ...]) -> None:
    """Hand NAME over from its chart to the operator, without a lost request.

    The Deployments and Services of a chart of Slipway's are marked; then upgrade the release with release.managed=true.

    Of other charts, name them: the operator takes them with the first version of a Microservice NAME, and gives them
    back when it is deleted.

    \b
    Examples:
      kubectl slipway adopt shop-orders
      kubectl slipway adopt hello --service hello --deployment hello
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    objects = _objects(context)
    if services or deployments:
        from . import lending  # noqa: PLC0415 # the manifests' modules are loaded where they are needed

        said = lending.lend(objects, name, services=services, deployments=deployments)
    else:
        said = adoption.adopt(objects, name)
    for sentence in said:
        click.echo(text.clean(sentence, 1200))


@click.command(short_help="Return a service to its chart.")
@service_argument
@click.option("--clean", is_flag=True, help="Remove leftovers once the chart's own pods are ready.")
@click.option("--deployment", default="", help="With --clean: the Deployment that gets the Service.")
@cluster_options
@click.pass_context
def orphan(context: click.Context, name: str, deployment: str, *, clean: bool) -> None:
    """Return NAME to its chart, without a lost request; also reverts adopt.

    \b
    Example:
      kubectl slipway orphan shop-orders
      helm upgrade shop CHART --reset-then-reuse-values --set orders.release.managed=false
      kubectl slipway orphan shop-orders --clean
    """  # noqa: D301
    if deployment and not clean:
        raise click.UsageError("--deployment names what goes on after --clean: add --clean")
    objects = _objects(context)
    said = adoption.clean(objects, name, deployment) if clean else adoption.orphan(objects, name)
    for sentence in said:
        click.echo(text.clean(sentence, 1200))
