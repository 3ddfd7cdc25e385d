"""``slipway console``: where it is, and the token for what it may do."""

import sys
import webbrowser
from pathlib import Path

import click

from ..layout import layout_on
from ..release_cli import data_option
from .serving import address_on, token_of


@click.command()
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@data_option
def console(*, opens: bool, data: Path | None) -> None:
    """Print the address of the console of `slipway up`, and the token for its actions.

    It is read-only without the token: promote, abort, rollback and replay need it. Who has it can do what the commands
    do, so it is not for others.

    \b
    Examples:
      slipway console
      slipway console --open
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    layout = layout_on(data)
    address, token = address_on(layout), token_of(layout)
    click.echo(f"console  {address}\ntoken    {token}")
    # Without the token: a browser's arguments are seen by everybody on the machine.
    if opens and not webbrowser.open(address):
        click.echo("no browser could be opened: open the address yourself", err=True)
        sys.exit(1)
