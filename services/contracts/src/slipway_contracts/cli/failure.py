"""How a command of this package fails: one sentence on standard error, exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from ..errors import ContractsError


class Failure(click.ClickException):
    """As the other commands of Slipway say it."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {self.message}", file=file, err=True)


@contextmanager
def told() -> Iterator[None]:
    """Around a command, or as its decorator: an error of this package becomes a Failure."""
    try:
        yield
    except ContractsError as error:
        raise Failure(str(error)) from None
