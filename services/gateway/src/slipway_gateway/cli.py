"""``slipway gateway``: Envoy's configuration from the gateway's settings."""

import json
from pathlib import Path

import click

from .binary import validate
from .config_files import write
from .draining import asking, drain
from .envoy import envoy_config
from .schema import chart_schema
from .settings_file import read
from .starting import await_keys


@click.group()
def gateway() -> None:
    """Generate and validate the configuration of the gateway (Envoy)."""


@gateway.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write. Default: standard output."
)
@click.option("--check", is_flag=True, help="Validate the result with Envoy; nothing is written if it is rejected.")
def render(file: Path, output: Path | None, *, check: bool) -> None:
    """Generate Envoy's configuration from the settings in FILE.

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


@gateway.command()
def schema() -> None:
    """Print the schema of the chart's values (charts/gateway/values.schema.json)."""
    click.echo(json.dumps(chart_schema(), indent=2))


@gateway.command("await-keys")
@click.option("--admin-port", type=click.IntRange(1, 65535), default=9901, show_default=True)
@click.option(
    "--most", type=click.IntRange(0), default=60, show_default=True, help="Maximum seconds to wait for the issuer."
)
def await_keys_command(admin_port: int, most: int) -> None:
    """Wait until a started gateway has the issuer's keys; called by a pod's postStart hook.

    Envoy would be ready without them, and refuse every token. When the time is over the gateway gets requests
    all the same: what needs no token is served.
    """
    there = await_keys(asking(admin_port), most=most)
    click.echo("the issuer's keys are there" if there else f"no keys of the issuer after {most} s: tokens are refused")


@gateway.command("drain")
@click.option("--admin-port", type=click.IntRange(1, 65535), default=9901, show_default=True)
@click.option(
    "--most",
    type=click.IntRange(0),
    default=25,
    show_default=True,
    help="Maximum seconds to wait for requests in flight.",
)
@click.option(
    "--wait",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Seconds until clients have noticed that it is not ready.",
)
def drain_command(admin_port: int, most: int, wait: int) -> None:
    """Drain a running gateway before it stops; called by a pod's preStop hook.

    Readiness fails, kept-alive connections end with their next answer, and the command returns when nothing
    is in flight any longer. Then Envoy can be stopped without failing a request.
    """
    left = drain(asking(admin_port), wait=wait, most=most)
    click.echo(f"{left} requests are still in flight" if left else "nothing is in flight")
