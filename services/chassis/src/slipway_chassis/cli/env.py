"""``slipway env``: the settings of a running service, for programs of one's own."""

import shlex

import click

from ..config import RUNNING_HERE, running_here
from ..errors import ConfigurationError


@click.command()
@click.argument("service", default="")
def env(service: str) -> None:
    """Print the settings of SERVICE in the `slipway up` of this folder, as a shell takes them; they hold passwords.

    Without SERVICE those that all services have.

    \b
    Examples:
      eval "$(slipway env orders)" && psql "$DATABASE_URL"
      slipway env orders > .env
    """  # noqa: D301
    running = running_here()
    if not running:
        raise ConfigurationError(f"nothing runs here: {RUNNING_HERE.absolute()} was looked at")
    if service not in running:
        known = ", ".join(sorted(name for name in running if name))
        raise ConfigurationError(f"no service is called {service!r}: there are {known}")
    for name, value in sorted(running[service].items()):
        click.echo(f"export {name}={shlex.quote(value)}")
