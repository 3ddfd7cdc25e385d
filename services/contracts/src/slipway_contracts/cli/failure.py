"""How a command of this package fails: one sentence on standard error, exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from ..errors import ContractsError
from ..findings import readable

LONGEST_NAME = 200  # characters of a file's name that are shown
LONGEST_SENTENCE = 2000


class Failure(click.ClickException):
    """As the other commands of Slipway say it."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {self.message}", file=file, err=True)


@contextmanager
def told() -> Iterator[None]:
    """Around a command, or as its decorator: an error of this package, or of a file, becomes a Failure."""
    try:
        yield
    except ContractsError as error:
        raise Failure(readable(str(error), LONGEST_SENTENCE)) from None
    except BrokenPipeError:  # who reads the output has gone: click ends quietly
        raise
    except OSError as error:
        named = str(error.filename or "a file")
        raise Failure(f"{named[:LONGEST_NAME]}: {error.strerror or error}") from None
