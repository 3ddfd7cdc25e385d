"""Names, durations and the flags that kubectl has too; all of them complete in the shell."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ..errors import OperatorError
from ..spec.fields import GROUP, LONGEST_NAME
from .cluster import MICROSERVICES, RELEASE_PLANS, VERSIONS, Cluster, Target

_NAME = re.compile(
    rf"^(?:(?:ms|microservices?(?:\.{re.escape(GROUP)})?)/)?([a-z](?:[a-z0-9-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?)$"
)
_NAMESPACE = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_VERSION = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")
_COMPLETION_SECONDS = 10  # who is tired of waiting presses Ctrl-C
Command = TypeVar("Command", bound=Callable[..., Any])


def target_of(context: click.Context) -> Target:
    return context.find_root().ensure_object(Target)


def _asking(context: click.Context) -> Cluster:
    return Cluster(target_of(context), lambda _: None, patience=_COMPLETION_SECONDS)


class ServiceName(click.ParamType[str]):
    name = "service"
    pattern = _NAME
    example = "orders, or ms/orders"
    kind = MICROSERVICES

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = self.pattern.match(str(value))
        if not found:
            self.fail(f"{value!r} is no name of a {self.name}: give one like {self.example}", param, ctx)
        return found[1]

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str  # noqa: ARG002 # click's signature
    ) -> list[CompletionItem]:  # fmt: skip
        """Names in the namespace that was chosen so far; a cluster that does not answer completes nothing."""
        kind, slash, _ = incomplete.rpartition("/")
        try:
            names = [each.rpartition("/")[2] for each in _asking(ctx).names(self.kind)]
        except OperatorError:
            return []
        return [CompletionItem(kind + slash + name) for name in names if (kind + slash + name).startswith(incomplete)]


class PlanName(ServiceName):
    name = "plan"
    pattern = re.compile(
        rf"^(?:(?:rp|releaseplans?(?:\.{re.escape(GROUP)})?)/)?([a-z](?:[a-z0-9-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?)$"
    )
    example = "shop, or rp/shop"
    kind = RELEASE_PLANS


class Version(click.ParamType[str]):
    name = "version"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _VERSION.match(str(value)):
            self.fail(f"{value!r} is no version: give its hash, or what people call it, like 1.4.2", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str  # noqa: ARG002 # click's signature
    ) -> list[CompletionItem]:  # fmt: skip
        from .release_patches import possible  # noqa: PLC0415 # the planner's modules are loaded where they are needed
        from .snapshot import snapshot_of  # noqa: PLC0415
        from .text import utc_now  # noqa: PLC0415

        # While an option has no value yet, click leaves arguments as they were given.
        found = _NAME.match(str(ctx.params.get("name") or next(iter(ctx.args), "")))
        if not found:
            return []
        try:
            kept = possible(snapshot_of(_asking(ctx).read(found[1], (VERSIONS,)), utc_now()))
        except OperatorError:
            return []
        return [CompletionItem(each.version, help=each.label) for each in kept if each.version.startswith(incomplete)]


def _namespace(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None and not _NAMESPACE.match(value):
        raise click.BadParameter(f"{value!r} is no name of a namespace", context, option)
    _remember(context, option, value)


def _remember(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Whether the flag stands before or after the command; the later one counts."""
    if value is not None and option.name:
        setattr(target_of(context), option.name, value)


def cluster_options(command: Command) -> Command:
    for option in (
        click.option(
            "--kubeconfig", type=click.Path(), expose_value=False, callback=_remember, help="Kubeconfig to use."
        ),
        click.option("--context", expose_value=False, callback=_remember, help="Context of the kubeconfig."),
        click.option(
            "-n", "--namespace", expose_value=False, callback=_namespace, help="Namespace; default: the context's."
        ),
    ):
        command = option(command)
    return command


def output_option(*, default: str) -> Callable[[Command], Command]:
    return click.option(
        "-o",
        "--output",
        type=click.Choice([default, "json", "yaml"]),
        default=default,
        show_default=True,
        help="How to print.",
    )


service_argument = click.argument("name", type=ServiceName(), metavar="NAME")
