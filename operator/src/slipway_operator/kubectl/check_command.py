"""``kubectl slipway check``: what is missing before anything is changed."""

import re
import sys
from typing import Any

import click

from . import text
from .adoption import DEPLOYMENT, SERVICE
from .arguments import cluster_options, target_of
from .cluster import Cluster
from .errors import NotPossible
from .screen import Screen

AUTOSCALER = "horizontalpodautoscalers.autoscaling"
_NAME = r"([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)"
_KIND = r"(?:deploy|deployments?(?:\.apps)?)/"
_DEPLOYMENT = re.compile(rf"^(?:{_KIND})?{_NAME}$")
_WITH_KIND = re.compile(rf"^{_KIND}{_NAME}$")


def deployment_in(words: str) -> str:
    """The name in ``deployment/NAME``; empty: it is no such reference."""
    found = _WITH_KIND.match(words)
    return found[1] if found else ""


class DeploymentName(click.ParamType[str]):
    name = "deployment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = _DEPLOYMENT.match(str(value))
        if not found:
            self.fail(f"{value!r} is no Deployment: give one like deployment/hello", param, ctx)
        return found[1]


@click.command(short_help="Say what a Deployment lacks before it is released.")
@click.argument("name", type=DeploymentName(), metavar="deployment/NAME")
@cluster_options
@click.pass_context
def check(context: click.Context, name: str) -> None:
    """Say what a Deployment lacks before its pods are released by a Microservice. Nothing is changed.

    Exit code 1: something is missing that a release would be refused for, or lose requests by.

    \b
    Example:
      kubectl slipway check deployment/hello
    """  # noqa: D301
    from . import checking  # noqa: PLC0415 # the manifests' modules are loaded where they are needed

    cluster = Cluster(target_of(context), Screen().note)
    there = cluster.get(DEPLOYMENT, name)
    if there is None:
        raise NotPossible(f"there is no Deployment {name} in namespace {cluster.namespace}")
    found = checking.check(there, cluster.select(SERVICE, ""), cluster.select(AUTOSCALER, ""))
    for each in found:
        click.echo(text.clean(f"{each.level:<8}{each.about:<14}{each.sentence}", 400))
    if any(each.level == "missing" for each in found):
        sys.exit(1)
