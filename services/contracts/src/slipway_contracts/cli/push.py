"""``slipway contracts push``: what a service promises, for teams that check against it."""

from pathlib import Path

import click

from ..config import registry_login
from ..oci_artifact import pushed
from .failure import told


@click.command()
@click.argument("artifact", metavar="oci://HOST/NAME:TAG")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default="contracts",
    show_default=True,
    help="The contracts of one service: where its index.json lies.",
)
@told()
def push(artifact: str, folder: Path) -> None:
    """Write the contracts of a service to a registry of images and artifacts; print their address by digest.

    Who we are is said by REGISTRY_USER and REGISTRY_PASSWORD, or REGISTRY_TOKEN, and by REGISTRY_HOST to whom. TLS is
    asked for, except on this machine.

    \b
    Examples:
      slipway contracts push oci://registry.example/shop/orders-contracts:v1 --from services/orders/contracts
    """  # noqa: D301
    click.echo(pushed(folder, artifact, registry_login()))
