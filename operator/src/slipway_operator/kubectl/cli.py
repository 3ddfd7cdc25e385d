"""``kubectl slipway``: kubectl runs the executable ``kubectl-slipway`` for it.

Exit codes: 0 success; 1 refused or failed, with the reason on standard error; 2 usage error.
"""

import sys
from io import TextIOWrapper

import click
from click.shell_completion import get_completion_class

from slipway_chassis.errors import ChassisError

from .adoption_commands import adopt, orphan
from .arguments import cluster_options
from .check_command import check
from .read_commands import explain, get, history, status
from .release_plan_commands import plan
from .text import clean
from .write_commands import abort, pause, promote, resume, retry, rollback

COMPLETE_VARIABLE = "_KUBECTL_SLIPWAY_COMPLETE"


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 success, 1 refused or failed, 2 usage error.",
)
@click.version_option(package_name="slipway-operator", prog_name="kubectl slipway")
@cluster_options
def cli() -> None:
    """Inspect and control the releases of Slipway's services.

    NAME is the name of a Microservice, for example orders or ms/orders.
    """


@cli.command(short_help="Print a completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of kubectl-slipway for SHELL.

    `kubectl slipway` itself needs none: kubectl asks kubectl_complete-slipway, which is installed beside it.

    \b
    Example:
      kubectl slipway completion bash > ~/.local/share/bash-completion/completions/kubectl-slipway
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    made = get_completion_class(shell)
    assert made  # noqa: S101 # the choice above
    click.echo(made(cli, {}, "kubectl-slipway", COMPLETE_VARIABLE).source())


for command in (
    get,
    status,
    explain,
    history,
    promote,
    abort,
    rollback,
    pause,
    resume,
    retry,
    adopt,
    orphan,
    check,
    plan,
):
    cli.add_command(command)


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode shows question marks, and no traceback
    try:
        cli.main(prog_name="kubectl slipway", complete_var=COMPLETE_VARIABLE)
    except ChassisError as error:
        click.echo(f"error: {clean(str(error), 1200)}", err=True)
        sys.exit(1)


def complete() -> None:
    """``kubectl_complete-slipway``: the words after ``kubectl slipway``, answered as kubectl's own completion does."""
    *before, incomplete = sys.argv[1:] or [""]
    made = get_completion_class("bash")
    assert made  # noqa: S101 # click has it
    for item in made(cli, {}, "kubectl slipway", COMPLETE_VARIABLE).get_completions(before, incomplete):
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(":4")  # cobra's word for: offer no files
