"""How the commands tell how far they are: a line for each step, with seconds since the beginning."""

import time
from collections.abc import Callable

import click


def teller() -> Callable[[str, str], None]:
    """Takes what a step is about, and a remark."""
    start = time.monotonic()

    def tell(what: str, remark: str) -> None:
        click.echo(f"  {time.monotonic() - start:5.1f} s  {what:<12} {remark}")

    return tell
