"""``kubectl slipway adopt`` and ``orphan``: a service changes hands between a chart and the operator."""

from pathlib import Path
from typing import Any

import click

from . import adoption, text
from .arguments import ServiceName, cluster_options, service_argument, target_of
from .check_command import AUTOSCALER, deployment_in
from .cluster import Cluster
from .errors import NotPossible
from .screen import Screen


def _objects(context: click.Context) -> Cluster:
    """Its namespace is known before anything is written: half of a change of hands helps nobody."""
    cluster = Cluster(target_of(context), Screen().note)
    _ = cluster.namespace
    return cluster


class _Adoptable(ServiceName):
    """A Microservice's name, or a Deployment of which one is written."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value) if deployment_in(str(value)) else super().convert(value, param, ctx)


@click.command(short_help="Hand a service over from its chart to the operator.")
@click.argument("name", type=_Adoptable(), metavar="NAME|deployment/NAME")
@click.option("--service", "services", multiple=True, help="Service to hand over; default: NAME. Repeatable.")
@click.option("--deployment", "deployments", multiple=True, help="Deployment that serves now. Repeatable.")
@click.option("--write", "file", type=click.Path(dir_okay=False), help="File for the Microservice; - prints it.")
@cluster_options
@click.pass_context
def adopt(
    context: click.Context, name: str, services: tuple[str, ...], deployments: tuple[str, ...], file: str | None
) -> None:
    """Hand NAME over from its chart to the operator, without a lost request.

    The Deployments and Services of a chart of Slipway's are marked; then upgrade the release with release.managed=true.

    Of other charts, name them: the operator takes them with the first version of a Microservice NAME, and gives them
    back when it is deleted.

    With --write, a Microservice is written of a Deployment that runs, and nothing is changed in the cluster; kubectl
    apply then lets the operator take over.

    \b
    Examples:
      kubectl slipway adopt deployment/hello --service hello --write microservice.yaml
      kubectl slipway adopt shop-orders
      kubectl slipway adopt hello --service hello --deployment hello
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    deployment = deployment_in(name)
    if bool(deployment) != bool(file):
        raise click.UsageError("--write and deployment/NAME belong together: adopt deployment/NAME --write FILE")
    objects = _objects(context)
    if file:
        if deployments or len(services) > 1:
            raise click.UsageError("--write takes one Deployment, as deployment/NAME, and one --service")
        _write(objects, deployment, "".join(services), file)
        return
    if services or deployments:
        from . import lending  # noqa: PLC0415 # the manifests' modules are loaded where they are needed

        said = lending.lend(objects, name, services=services, deployments=deployments)
    else:
        said = adoption.adopt(objects, name)
    for sentence in said:
        click.echo(text.clean(sentence, 1200))


def _write(objects: Cluster, name: str, service: str, file: str) -> None:
    from . import microservice_file  # noqa: PLC0415 # the manifests' modules are loaded where they are needed

    there = objects.get(adoption.DEPLOYMENT, name)
    if there is None:
        raise NotPossible(f"there is no Deployment {name} in namespace {objects.namespace}")
    services, autoscalers = objects.select(adoption.SERVICE, ""), objects.select(AUTOSCALER, "")
    made = microservice_file.written(there, services, autoscalers, service=service)
    if file == "-":
        click.echo(made.text, nl=False)
    else:
        microservice_file.write_new(Path(file), made.text)
        click.echo(f"{file} has a Microservice of {made.text.count(chr(10))} lines; nothing in the cluster was changed")
    for sentence in made.sentences:
        click.echo(text.clean(f"note: {sentence}", 1200), err=True)
    if file != "-":
        click.echo(f"next: kubectl apply -n {objects.namespace} -f {file}")


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
