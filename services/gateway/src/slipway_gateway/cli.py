"""``slipway gateway``: Envoy's configuration from the gateway's settings."""

import json
from pathlib import Path
from typing import Any

import click

from .binary import validate
from .draining import asking, drain
from .envoy import envoy_config
from .errors import GatewayConfigurationError
from .inner import Inner
from .listeners import secret_config
from .reading import read
from .schema import chart_schema
from .settings import GatewaySettings

SECRET_FILE = "certificate.json"  # noqa: S105 # says where the certificate lies


@click.group()
def gateway() -> None:
    """Make and check the configuration of the gateway (Envoy)."""


@gateway.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write there; default: print.")
@click.option("--check", is_flag=True, help="Let Envoy check the result; nothing is written when it refuses.")
def render(file: Path, output: Path | None, *, check: bool) -> None:
    """Turn the settings in FILE into Envoy's configuration.

    FILE is YAML with the settings under the key 'gateway', as in the chart's values.

    \b
    Examples:
      slipway gateway render gateway.yaml --check --output envoy.json
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    settings = read(file)
    config = envoy_config(settings)
    if check:
        validate(config)
    if output is None:
        click.echo(json.dumps(config, indent=1))
        return
    write(settings, output)


def write(settings: GatewaySettings, output: Path, inner: Inner | None = None) -> None:
    """The configuration, and beside it what says where the certificate lies, so that a renewed one is taken."""
    secret = output.absolute().with_name(SECRET_FILE) if settings.tls.enabled else None
    config = envoy_config(settings, secret_file=str(secret) if secret else None, inner=inner)
    files: dict[Path, dict[str, Any]] = {output: config}
    if secret:
        files = {secret: secret_config(settings), **files}
    for path, content in files.items():
        try:
            path.write_text(json.dumps(content, indent=1))
        except OSError as error:
            raise GatewayConfigurationError(f"{path} can't be written: {error.strerror}") from None


@gateway.command()
def schema() -> None:
    """Print the schema of the chart's values (charts/gateway/values.schema.json)."""
    click.echo(json.dumps(chart_schema(), indent=2))


@gateway.command("drain")
@click.option("--admin-port", type=click.IntRange(1, 65535), default=9901, show_default=True)
@click.option("--most", type=click.IntRange(0), default=25, show_default=True, help="Seconds for what is in flight.")
@click.option("--wait", type=click.IntRange(0), default=5, show_default=True, help="Seconds in which others learn it.")
def drain_command(admin_port: int, most: int, wait: int) -> None:
    """Prepare a running gateway for its end; a pod's preStop calls this.

    Readiness fails, kept-alive connections end with their next answer, and the command returns when nothing
    is in flight any longer. Then Envoy can be stopped without failing a request.
    """
    left = drain(asking(admin_port), wait=wait, most=most)
    click.echo(f"{left} requests are still in flight" if left else "nothing is in flight")
