"""``slipway completion``: the shell completes commands and options."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    Examples:
      slipway completion bash > ~/.local/share/bash-completion/completions/slipway
      slipway completion fish > ~/.config/fish/completions/slipway.fish
    """  # noqa: D301
    from .main import cli  # noqa: PLC0415 # which finds this command

    made = get_completion_class(shell)
    assert made  # noqa: S101 # the choice above
    click.echo(made(cli, {}, "slipway", "_SLIPWAY_COMPLETE").source())
